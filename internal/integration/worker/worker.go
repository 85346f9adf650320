// Package worker runs this program once more, in another role, in a process of
// its own that can be asked things and killed.
//
//	func main() { worker.Play(roles); … }
//
// A worker says what it was started with, what it is asked and what it answers
// in lines of JSON over its standard input and output. It ends when its input
// does, thus with its parent, however that went.
package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// roleVariable tells a worker what it is.
const roleVariable = "FAIRLEAD_WORKER_ROLE"

// Role is what a worker does: it starts what it is there for and returns what
// it can be asked. What it started ends with the process.
type Role func(task json.RawMessage) (Answers, error)

// Answers has a function for each question that a worker can be asked. One is
// asked at a time.
type Answers map[string]Answer

// Answer returns what is to be answered, as JSON.
type Answer func(args json.RawMessage) (any, error)

// Given is a role whose task is a T.
func Given[T any](play func(T) (Answers, error)) Role {
	return func(raw json.RawMessage) (Answers, error) {
		var task T
		if err := json.Unmarshal(raw, &task); err != nil {
			return nil, err
		}
		return play(task)
	}
}

// To answers a question that comes with a T.
func To[T any](answer func(T) (any, error)) Answer {
	return func(raw json.RawMessage) (any, error) {
		var args T
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, err
		}
		return answer(args)
	}
}

type question struct {
	Name string
	Args json.RawMessage
}

type reply struct {
	Answer json.RawMessage
	Error  string
}

// Play plays the role of this process if it is a worker, and then never
// returns. Call it first thing in main.
func Play(roles map[string]Role) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return
	}
	err := fmt.Errorf("there is no role %q", name)
	if role := roles[name]; role != nil {
		in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
		os.Stdout = os.Stderr // answers only on the other
		err = play(role, in, out)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(role Role, in *json.Decoder, out *json.Encoder) error {
	var task json.RawMessage
	if err := in.Decode(&task); err != nil {
		return err
	}
	answers, err := role(task)
	if err := out.Encode(reply{Error: message(err)}); err != nil {
		return err
	}
	for err == nil {
		var q question
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		err = out.Encode(answers.to(q))
	}
	return err
}

func (a Answers) to(q question) reply {
	answer, known := a[q.Name]
	switch {
	case known:
	case q.Name == usageQuestion:
		answer = usage
	case q.Name == profileQuestion:
		answer = To(profile)
	default:
		return reply{Error: fmt.Sprintf("cannot be asked %q", q.Name)}
	}
	value, err := answer(q.Args)
	if err != nil {
		return reply{Error: err.Error()}
	}
	raw, err := json.Marshal(value)
	return reply{Answer: raw, Error: message(err)}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
