package kindconfig

import (
	"bytes"
	"errors"
	"io"

	node "go.yaml.in/yaml/v3"
)

// OneDocument returns an error for YAML with a second document, which a decoder would leave out without a word. It is
// nil for content that is malformed: decoding says so.
func OneDocument(content []byte) error {
	decoder := node.NewDecoder(bytes.NewReader(content))
	for count := 0; ; count++ {
		var document node.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) || err != nil && count == 0 {
			return nil
		}
		if count > 0 && (err != nil || !isNothing(&document)) {
			return errors.New("it has more than one YAML document")
		}
	}
}

// isNothing reports whether a document is what follows a separator at the end of a file.
func isNothing(document *node.Node) bool {
	return len(document.Content) == 1 && document.Content[0].Tag == "!!null" && document.Content[0].Value == ""
}

// asWritten quotes numbers, because a version without quotes would be one: 1.20 is 1.2. A schema is a number.
func asWritten(content []byte) ([]byte, error) {
	var document node.Node
	if err := node.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	if document.IsZero() {
		return nil, nil
	}
	quote(&document)
	return node.Marshal(&document)
}

func quote(of *node.Node) {
	if of.Kind == node.ScalarNode && (of.Tag == "!!float" || of.Tag == "!!int") {
		of.Tag, of.Style = "!!str", node.DoubleQuotedStyle
	}
	for i, below := range of.Content {
		if of.Kind != node.MappingNode || i%2 == 0 || of.Content[i-1].Value != "schema" {
			quote(below)
		}
	}
}
