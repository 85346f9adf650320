package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/discovery/etcd"
)

// past is a version of rules, or of the settings, as data.
type past struct {
	Version   int64           `json:"version"`
	Revision  int64           `json:"revision"`
	At        time.Time       `json:"at,omitzero"`
	By        string          `json:"by,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Deleted   bool            `json:"deleted,omitempty"`
	Malformed string          `json:"malformed,omitempty"`
	Document  json.RawMessage `json:"document,omitempty"`
}

func (s *session) history() *cobra.Command {
	return &cobra.Command{
		Use:   "history SERVICE",
		Short: "List the versions of the rules of a service, the newest first",
		Long:  fmt.Sprintf("Lists the last %d versions of the rules of a service, the newest first.", etcd.KeptVersions),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.operate(cmd.Context(), func(ctx context.Context, o *etcd.Operator) error {
				all, err := o.History(ctx, args[0])
				if err != nil {
					return err
				}
				return s.versions(all)
			})
		},
	}
}

// versions lists what was.
func (s *session) versions(all []etcd.RuleVersion) error {
	data := make([]past, len(all))
	for n, v := range all {
		data[n] = past{v.Number, v.Revision, v.At, v.Note.By, v.Note.Reason, v.Text == nil && v.Malformed == "", v.Malformed, v.Text}
	}
	return s.show(data, func(w io.Writer) {
		var rows [][]string
		for _, v := range data {
			what := strconv.Itoa(len(v.Document)) + " bytes"
			switch {
			case v.Malformed != "":
				what = "malformed: " + v.Malformed
			case v.Deleted:
				what = "deleted"
			}
			at := ""
			if !v.At.IsZero() {
				at = v.At.Local().Format(time.DateTime)
			}
			rows = append(rows, []string{strconv.FormatInt(v.Version, 10), strconv.FormatInt(v.Revision, 10), at, v.By, what, v.Reason})
		}
		table(w, "VERSION REVISION AT BY WHAT REASON", rows)
	})
}
