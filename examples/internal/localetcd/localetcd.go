// Package localetcd runs a real etcd in a child process: the program executes
// itself again, and the child serves on loopback until it is killed.
//
// It is for examples, which must need nothing but Go. A real deployment has
// three members or five, on machines of their own.
package localetcd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/fairlead-go/fairlead/internal/loopback"
)

const (
	roleVariable = "FAIRLEAD_EXAMPLE_ETCD" // set in the child to its data folder
	urlsVariable = "FAIRLEAD_EXAMPLE_ETCD_URLS"
	readyLine    = "etcd is ready"
)

// Main turns the process into etcd if it is the child; it then never returns.
// Call it first thing in main.
func Main() {
	dir := os.Getenv(roleVariable)
	if dir == "" {
		return
	}
	if err := serve(dir, os.Getenv(urlsVariable)); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(dir, urls string) error {
	client, peer, _ := strings.Cut(urls, ",")
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = "error"
	config.UnsafeNoFsync = true // its data need not survive the machine
	for raw, target := range map[string]*[]url.URL{client: &config.ListenClientUrls, peer: &config.ListenPeerUrls} {
		u, err := url.Parse(raw)
		if err != nil {
			return err
		}
		*target = []url.URL{*u}
	}
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = config.ListenClientUrls, config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		fmt.Println(readyLine)
	case err := <-etcd.Err():
		return err
	}
	// The parent holds the other end of standard input: when it dies, however
	// it dies, so does this.
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return <-etcd.Err()
}

// Process is an etcd in a child process. It is used by one goroutine.
type Process struct {
	dir, urls string
	cmd       *exec.Cmd
	stdin     io.Closer
}

// Start starts an etcd with an empty store in a temporary folder.
func Start(ctx context.Context) (*Process, error) {
	dir, err := os.MkdirTemp("", "fairlead-etcd-")
	if err != nil {
		return nil, err
	}
	var urls []string
	for range 2 {
		addr, err := loopback.Addr()
		if err != nil {
			return nil, err
		}
		urls = append(urls, "http://"+addr)
	}
	p := &Process{dir: dir, urls: strings.Join(urls, ",")}
	if err := p.Restart(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Endpoint is the client endpoint, the same after every Restart.
func (p *Process) Endpoint() string {
	client, _, _ := strings.Cut(p.urls, ",")
	return strings.TrimPrefix(client, "http://")
}

// Restart starts etcd on the data it had and waits until it is ready.
func (p *Process) Restart(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), roleVariable+"="+filepath.Join(p.dir, "data"), urlsVariable+"="+p.urls)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.stdin = cmd, stdin
	ready := make(chan error, 1)
	go func() { // ends with the child's standard output
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if lines.Text() == readyLine {
				ready <- nil
				io.Copy(io.Discard, stdout)
				return
			}
		}
		ready <- errors.New("etcd ended before it was ready")
	}()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = fmt.Errorf("etcd is not ready: %w", ctx.Err())
	}
	if err != nil {
		p.Kill()
	}
	return err
}

// Kill ends etcd as a crash would.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.stdin.Close()
	p.cmd = nil
}

// Close ends etcd and removes its data.
func (p *Process) Close() error {
	p.Kill()
	return os.RemoveAll(p.dir)
}
