package report

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
)

// Write writes the report into files of a folder: report.html for people, and for
// programs report.json, rows.csv, and a CSV file for each list of comparisons.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var page, line bytes.Buffer
	if err := errors.Join(r.page(&page), r.json(&line)); err != nil {
		return err
	}
	write := func(name string, text []byte) error { return os.WriteFile(filepath.Join(dir, name), text, 0o666) }
	return errors.Join(
		write("report.html", page.Bytes()),
		write("report.json", line.Bytes()),
		write("rows.csv", rowsCSV(r.Rows)),
		write("ratios.csv", comparisonsCSV(r.Ratios)),
		write("added.csv", comparisonsCSV(r.Added)),
		write("pairwise.csv", comparisonsCSV(r.Pairwise)),
	)
}
