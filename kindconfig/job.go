package kindconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"mesh-conformance/hack/problem"
)

// Job is all that the driver tells the suite: one run of one cell.
type Job struct {
	// Run is the run's id, the name of its folder.
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	// Command as the user typed it, Filter as Ginkgo got it; an empty filter means everything.
	Command string `json:"command"`
	Filter  string `json:"filter"`
	Procs   int    `json:"procs"`
	// Engine describes the container engine in words.
	Engine string `json:"engine"`
	// Directory is the run's folder, absolute: everything the suite writes is in it.
	Directory string `json:"directory"`
	// Cluster names the shared cluster; further clusters of the run begin with the same name.
	Cluster string `json:"cluster"`
	// Network is the engine's network of the run's clusters, apart from kind's own so that a user's
	// clusters keep theirs.
	Network string `json:"network"`
	// Kubeconfig is the shared cluster's, never the user's.
	Kubeconfig string `json:"kubeconfig"`
	// Lock is held by the driver: when it comes free, the driver is gone and the suite ends itself.
	Lock string `json:"lock"`
	// Gate is the address of the driver's gate, which lets as many processes run specs at once as the machine carries;
	// empty where there is none.
	Gate string `json:"gate,omitempty"`
	// Keep leaves the cluster running at the end, Reuse takes one that an earlier run kept.
	Keep  bool `json:"keep"`
	Reuse bool `json:"reuse"`
	// Serial runs upstream's Gateway API tests one after the other in upstream's order: what qualify
	// bench measures the lanes against.
	Serial bool `json:"serial,omitempty"`
	// EveryPromise runs specs of promises that the subject's release does not make as well, which are exempt otherwise.
	EveryPromise bool `json:"everyPromise,omitempty"`
	// Lists are a vendor's own lists, which hold beside those of the suite; nil where none was given.
	Lists *VendorLists `json:"lists,omitempty"`
	Cell  Cell         `json:"cell"`
}

// The files of a run's folder that driver and suite share.
const (
	JobFile = "job.json"
	// EventsFile has one JSON line per finished spec, for the driver's display.
	EventsFile = "events.jsonl"
	// MachineFile has one JSON line per second with what the driver measured of the machine (hack/machine.Sample).
	MachineFile = "machine.jsonl"
	// ResultsFile is the model every report is rendered from.
	ResultsFile = "results.json"
	// EnvironmentFile exists if the run has no verdict, since it could not be provisioned or was
	// interrupted: one line that says why.
	EnvironmentFile = "environment.txt"
	// DiagnosticsDir holds a folder per failed spec.
	DiagnosticsDir = "diagnostics"
)

// Event is one line of the events file.
type Event struct {
	ID      string  `json:"id"`
	Row     string  `json:"row"`
	Name    string  `json:"name"`
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Process int     `json:"process"`
	// Message is the first line of a failure, or why the spec is undecided.
	Message string `json:"message,omitempty"`
}

// Path is a file of the run's folder.
func (j *Job) Path(name string) string { return filepath.Join(j.Directory, name) }

// Save writes the job into its folder.
func (j *Job) Save() error {
	content, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(j.Path(JobFile), append(content, '\n'), 0o600)
}

// LoadJob reads a job; the suite is not meant to be started without one.
func LoadJob(path string) (*Job, error) {
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, problem.Usage("cannot read the job: "+err.Error(), "--job", "start the suite through qualify run")
	}
	var job Job
	if err := json.Unmarshal(content, &job); err != nil {
		return nil, problem.Usage("malformed job: "+err.Error(), path, "start the suite through qualify run")
	}
	return &job, nil
}
