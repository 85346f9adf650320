package proxies

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/examples/benchmark/internal/scenario"
)

// CPU that is spent by a process nobody asks would be missing in the report.
func TestWorkersAreCounted(t *testing.T) {
	each(t, func(t *testing.T, k Kind) {
		p := run(t, k, scenario.HTTP1, Hop{Upstreams: nowhere})
		want := 1
		if k.Name == "nginx" {
			want += runtime.GOMAXPROCS(0)
		}
		if pids := p.PIDs(); len(pids) != want || !slices.Contains(pids, p.cmd.Process.Pid) {
			t.Errorf("its processes are %v, want %d", pids, want)
		}
	})
}

func TestStopLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, k Kind) {
		p := run(t, k, scenario.GRPC, Hop{Upstreams: nowhere}, Hop{Unix: true, Upstreams: nowhere})
		pids := p.PIDs()
		for range 2 { // the second one has nothing to do
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		gone(t, pids)
		for _, addr := range p.Addrs {
			network, at := address(addr).network()
			if conn, err := net.Dial(network, at); err == nil {
				conn.Close()
				t.Errorf("somebody still listens at %s", addr)
			}
		}
		if left := p.PIDs(); len(left) > 0 {
			t.Errorf("it still counts %v", left)
		}
	})
}

// A proxy that has crashed answers no calls: a benchmark must not take that for a result.
func TestStopTellsOfAProxyThatHadEnded(t *testing.T) {
	each(t, func(t *testing.T, k Kind) {
		p, err := k.Start(t.Context(), Config{Dir: folder(t), Protocol: scenario.HTTP1, Hops: []Hop{{Upstreams: nowhere}}})
		if err != nil {
			t.Fatal(err)
		}
		pids := p.PIDs()
		p.cmd.Process.Kill()
		<-p.life.Done()
		if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "it had ended: signal: killed") {
			t.Errorf("the error is %v", err)
		}
		gone(t, pids) // the workers, too, whom nobody told
	})
}

// A benchmark that is killed has no time to stop anything.
func TestAProxyEndsWithThisProcess(t *testing.T) {
	each(t, func(t *testing.T, k Kind) {
		cmd := exec.Command(os.Args[0])
		cmd.Dir = folder(t)
		cmd.Env = append(os.Environ(), parentVariable+"="+k.Name)
		cmd.Stderr = t.Output()
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var pids []int
		err = json.NewDecoder(stdout).Decode(&pids)
		cmd.Process.Kill()
		cmd.Wait()
		if err != nil || len(pids) == 0 {
			t.Fatalf("its processes are %v (%v)", pids, err)
		}
		gone(t, pids)
	})
}

// gone waits until no such process runs.
func gone(t *testing.T, pids []int) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		pids = slices.DeleteFunc(pids, func(pid int) bool { return !runs(pid) })
		if len(pids) == 0 {
			return
		}
		if time.Since(begun) > patience {
			for _, pid := range pids {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			t.Fatalf("processes %v still run", pids)
		}
	}
}

func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}
