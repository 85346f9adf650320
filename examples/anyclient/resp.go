package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// replyError is an error that the server answered, such as "ERR syntax error".
type replyError string

func (e replyError) Error() string { return string(e) }

// refused reports whether the server says that it cannot do its work at the
// moment. Then it surely has not done it.
func (e replyError) refused() bool {
	return strings.HasPrefix(string(e), "LOADING ") || strings.HasPrefix(string(e), "READONLY ")
}

// writeCommand writes a command as RESP wants it: an array of bulk strings.
func writeCommand(w io.Writer, args []string) error {
	text := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		text = fmt.Appendf(text, "$%d\r\n%s\r\n", len(a), a)
	}
	_, err := w.Write(text)
	return err
}

// readReply reads a simple string, a bulk string (empty where it is null) or an
// error, which is then a replyError.
func readReply(r *bufio.Reader) (string, error) {
	kind, line, err := readLine(r)
	switch {
	case err != nil:
		return "", err
	case kind == '+':
		return line, nil
	case kind == '-':
		return "", replyError(line)
	case kind == '$' && line == "-1":
		return "", nil
	case kind == '$':
		return readBulk(r, line)
	}
	return "", fmt.Errorf("unexpected reply %q", string(kind)+line)
}

// readCommand reads what writeCommand writes.
func readCommand(r *bufio.Reader) ([]string, error) {
	kind, line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(line)
	if kind != '*' || err != nil || n < 1 || n > 8 {
		return nil, fmt.Errorf("unexpected command %q", string(kind)+line)
	}
	args := make([]string, n)
	for i := range args {
		kind, line, err := readLine(r)
		if err == nil && kind != '$' {
			err = fmt.Errorf("unexpected argument %q", string(kind)+line)
		}
		if err != nil {
			return nil, err
		}
		if args[i], err = readBulk(r, line); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func readLine(r *bufio.Reader) (kind byte, rest string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return 0, "", fmt.Errorf("unexpected empty line")
	}
	return line[0], line[1:], nil
}

func readBulk(r *bufio.Reader, size string) (string, error) {
	n, err := strconv.Atoi(size)
	if err != nil || n < 0 || n > 1<<20 {
		return "", fmt.Errorf("unexpected length %q", size)
	}
	text := make([]byte, n+len("\r\n"))
	_, err = io.ReadFull(r, text)
	return string(text[:n]), err
}
