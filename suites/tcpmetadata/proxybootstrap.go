package tcpmetadata

import (
	"encoding/json"
	"fmt"
	"strings"
)

// bootstrap is what of a proxy's bootstrap the discovery of workloads shows in. It is read as JSON: Istio's
// extension has no message here.
type bootstrap struct {
	Node struct {
		Metadata map[string]any `json:"metadata"`
	} `json:"node"`
	BootstrapExtensions []struct {
		Name        string `json:"name"`
		TypedConfig struct {
			TypeURL string         `json:"type_url"`
			Value   map[string]any `json:"value"`
		} `json:"typed_config"`
	} `json:"bootstrap_extensions"`
	DynamicResources struct {
		ADSConfig struct {
			APIType string `json:"api_type"`
		} `json:"ads_config"`
	} `json:"dynamic_resources"`
	StatsConfig struct {
		StatsMatcher struct {
			InclusionList struct {
				Patterns []struct {
					Prefix string `json:"prefix"`
				} `json:"patterns"`
			} `json:"inclusion_list"`
		} `json:"stats_matcher"`
	} `json:"stats_config"`
}

// extension is one extension of the bootstrap, by the message within its TypedStruct.
type extension struct {
	Type  string
	Value map[string]any
}

// parseBootstrap reads the file that the agent writes. Half a file is an error: it is read while it is written.
func parseBootstrap(text []byte) (bootstrap, error) {
	var held bootstrap
	if err := json.Unmarshal(text, &held); err != nil {
		return bootstrap{}, fmt.Errorf("read a bootstrap of %d bytes: %w", len(text), err)
	}
	if len(held.Node.Metadata) == 0 {
		return bootstrap{}, fmt.Errorf("a bootstrap of %d bytes describes no node", len(text))
	}
	return held, nil
}

func (b bootstrap) extensions() map[string]extension {
	found := map[string]extension{}
	for _, one := range b.BootstrapExtensions {
		kind := one.TypedConfig.TypeURL
		found[one.Name] = extension{kind[strings.LastIndex(kind, "/")+1:], one.TypedConfig.Value}
	}
	return found
}

// prefixes are the beginnings of the names of statistics that the proxy keeps.
func (b bootstrap) prefixes() []string {
	var prefixes []string
	for _, pattern := range b.StatsConfig.StatsMatcher.InclusionList.Patterns {
		if pattern.Prefix != "" {
			prefixes = append(prefixes, pattern.Prefix)
		}
	}
	return prefixes
}
