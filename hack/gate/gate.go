// Package gate lets as many Ginkgo processes run specs at once as the machine carries. The driver holds the gate; a
// process of the suite passes it before each container or single spec, and holds its place until that has ended.
package gate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// State is what the gate is set to.
type State struct {
	// Width is how many processes may run specs at once, at least 1.
	Width int `json:"width"`
	// Factor is by how much the suite's time limits are stretched, at least 1.
	Factor float64 `json:"factor"`
}

// request is what a process of the suite sends first on each connection.
type request struct {
	// Provisioned is how long it took to make the shared cluster ready, in seconds; 0 on connections that ask for a place.
	Provisioned float64 `json:"provisioned,omitempty"`
	// For says for what a place is asked; empty asks for none, only for the state and its changes.
	For string `json:"for,omitempty"`
}

// reply is a line from the gate: that the place is given, or a new state.
type reply struct {
	Granted bool `json:"granted"`
	State
}

// Gate is the driver's end.
type Gate struct {
	listener net.Listener
	folder   string
	// provisioned is called with the seconds that provisioning took, and returns the state to begin with.
	provisioned func(seconds float64) State

	mutex   sync.Mutex
	state   State
	holding map[*place]bool
	waiting []*place
	// followers have asked for no place.
	followers map[*place]bool
}

// place is one process' connection.
type place struct {
	conn    net.Conn
	granted bool
}

// Listen opens a gate of a state. provisioned is called once the suite has made the shared cluster ready, with the
// seconds that this took, or a negative number where a kept cluster is reused.
func Listen(state State, provisioned func(seconds float64) State) (*Gate, error) {
	// Paths of unix sockets end at 108 bytes, and a run's folder may have a longer one.
	folder, err := os.MkdirTemp("", "mc-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the gate's socket: %w", err)
	}
	listener, err := net.Listen("unix", filepath.Join(folder, "gate"))
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, fmt.Errorf("open the gate's socket: %w", err)
	}
	g := &Gate{
		listener: listener, folder: folder, provisioned: provisioned, state: state,
		holding: map[*place]bool{}, followers: map[*place]bool{},
	}
	go g.serve()
	return g, nil
}

// Address is what Enter and Provisioned dial.
func (g *Gate) Address() string { return g.listener.Addr().String() }

// Close ends the gate. Processes that wait at it get an error.
func (g *Gate) Close() error {
	err := g.listener.Close()
	g.mutex.Lock()
	for _, p := range g.waiting {
		_ = p.conn.Close()
	}
	for _, some := range []map[*place]bool{g.holding, g.followers} {
		for p := range some {
			_ = p.conn.Close()
		}
	}
	g.mutex.Unlock()
	if removing := os.RemoveAll(g.folder); err == nil {
		err = removing
	}
	return err
}

// Set changes the state. Nobody who has passed is sent back.
func (g *Gate) Set(state State) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	changed := g.state.Factor != state.Factor
	g.state = state
	if changed {
		for _, some := range []map[*place]bool{g.holding, g.followers} {
			for p := range some {
				g.tell(p)
			}
		}
	}
	g.admit()
}

// Counts returns the state, how many processes hold a place and how many wait for one.
func (g *Gate) Counts() (state State, holding, waiting int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.state, len(g.holding), len(g.waiting)
}

func (g *Gate) serve() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		go g.handle(conn)
	}
}

// handle serves one connection until its process closes it, or ends.
func (g *Gate) handle(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	line, err := reader.ReadBytes('\n')
	var asked request
	if err != nil || json.Unmarshal(line, &asked) != nil {
		return
	}
	p := &place{conn: conn}
	if asked.Provisioned != 0 {
		g.Set(g.provisioned(asked.Provisioned))
		g.mutex.Lock()
		g.tell(p)
		g.mutex.Unlock()
		return
	}
	g.mutex.Lock()
	if asked.For == "" {
		g.followers[p] = true
		g.tell(p)
	} else {
		g.waiting = append(g.waiting, p)
		g.admit()
	}
	g.mutex.Unlock()
	// The process sends nothing more; what ends the read is that it closes the connection, or ends.
	_, _ = reader.ReadByte()
	g.mutex.Lock()
	defer g.mutex.Unlock()
	delete(g.holding, p)
	delete(g.followers, p)
	g.waiting = slices.DeleteFunc(g.waiting, func(other *place) bool { return other == p })
	g.admit()
}

// admit gives free places to the waiting processes, in the order in which they asked.
func (g *Gate) admit() {
	for len(g.waiting) > 0 && len(g.holding) < max(1, g.state.Width) {
		p := g.waiting[0]
		g.waiting = g.waiting[1:]
		p.granted = true
		g.holding[p] = true
		g.tell(p)
	}
}

// tell sends the state to a process. One that does not read ends its connection by that.
func (g *Gate) tell(p *place) {
	line, err := json.Marshal(reply{Granted: p.granted, State: g.state})
	if err != nil {
		return
	}
	_ = p.conn.SetWriteDeadline(time.Now().Add(time.Minute))
	if _, err := p.conn.Write(append(line, '\n')); err != nil {
		_ = p.conn.Close()
	}
}
