package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serviceTime is how long a command takes.
const serviceTime = 3 * time.Millisecond

// server is an instance: a Redis that knows PING, GET and SET.
type server struct {
	listener net.Listener
	loading  atomic.Bool  // answers errors, as Redis does while it reads its disk
	served   atomic.Int64 // commands it answered, errors included

	mu     sync.Mutex // guards the rest
	values map[string]string
	conns  map[net.Conn]bool
	closed bool
}

// serve starts a server on a free port.
func serve() (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{listener: listener, values: map[string]string{}, conns: map[net.Conn]bool{}}
	go s.accept() // ends with close
	return s, nil
}

// close closes the port and every connection.
func (s *server) close() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
}

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.conns[conn] = true; s.closed {
			conn.Close()
		}
		s.mu.Unlock()
		go s.talk(conn) // ends with the connection
	}
}

func (s *server) talk(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	for r := bufio.NewReader(conn); ; {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		time.Sleep(serviceTime)
		s.served.Add(1)
		if _, err := io.WriteString(conn, s.answer(args)); err != nil {
			return
		}
	}
}

func (s *server) answer(args []string) string {
	if s.loading.Load() {
		return "-LOADING the dataset is read from disk\r\n"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name := strings.ToUpper(args[0]); {
	case name == "PING" && len(args) == 1:
		return "+PONG\r\n"
	case name == "SET" && len(args) == 3:
		s.values[args[1]] = args[2]
		return "+OK\r\n"
	case name == "GET" && len(args) == 2:
		v, known := s.values[args[1]]
		if !known {
			return "$-1\r\n"
		}
		return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v)
	}
	return "-ERR unknown command or wrong number of arguments\r\n"
}
