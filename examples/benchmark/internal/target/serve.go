// Package target has the servers that are called.
package target

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/client"
)

// Settings are all that a server process is told.
type Settings struct {
	// Dir is where the unix sockets lie. Empty: there are none.
	Dir string
	// Next is how a call to the handler "chain" is passed on. nil: it ends here.
	Next *client.Assignment
}

// Places are where the instances listen, by protocol.
type Places struct {
	TCP  map[string][]string `json:"tcp"`  // host:port
	Unix map[string][]string `json:"unix"` // unix:/path
}

// Serve is the life of a server process: until its standard input ends, as it
// does with its parent. It reads a line of [Settings] and prints one of [Places].
func Serve(stdin io.Reader, stdout io.Writer) error {
	var s Settings
	if err := json.NewDecoder(stdin).Decode(&s); err != nil {
		return fmt.Errorf("settings of the servers: %w", err)
	}
	f, err := Open(s)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewEncoder(stdout).Encode(f.Places); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { // ends with the process at the latest
		io.Copy(io.Discard, stdin)
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case err := <-f.failed:
		return err
	}
}
