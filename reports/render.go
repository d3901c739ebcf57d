package reports

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files that Render writes.
const (
	fileResults              = "results.json"
	fileJUnit                = "junit.xml"
	fileMarkdown             = "report.md"
	fileHTML                 = "report.html"
	fileConformance          = "gateway-api-conformance.yaml"
	fileConformancePublished = "gateway-api-conformance-published.yaml"
)

// Render writes every report into dir. The Gateway API conformance reports are written only where the run had no filter
// and each of upstream's tests came to an outcome; otherwise those of an earlier rendering are removed.
// It must not run beside a writer to os.Stdout.
func Render(dir string, r *Results) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the reports: %w", err)
	}
	// First, since it also derives rows, totals and order for the others.
	if err := r.Save(filepath.Join(dir, fileResults)); err != nil {
		return err
	}
	for _, report := range []struct {
		file   string
		render func(*Results) (data []byte, ok bool, err error)
	}{
		{fileJUnit, always(JUnit)},
		{fileMarkdown, always(func(r *Results) ([]byte, error) { return Markdown(r), nil })},
		{fileHTML, always(HTML)},
		{fileConformance, Conformance},
		{fileConformancePublished, ConformancePublished},
	} {
		path := filepath.Join(dir, report.file)
		data, ok, err := report.render(r)
		switch {
		case err != nil:
			return fmt.Errorf("render %s: %w", report.file, err)
		case ok:
			if err := write(path, data); err != nil {
				return err
			}
		default:
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove the stale %s: %w", report.file, err)
			}
		}
	}
	return nil
}

func always(render func(*Results) ([]byte, error)) func(*Results) ([]byte, bool, error) {
	return func(r *Results) ([]byte, bool, error) {
		data, err := render(r)
		return data, err == nil, err
	}
}
