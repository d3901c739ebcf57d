package istioctl

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/onsi/gomega/types"
)

// Exit holds for an outcome with the code that said each of the texts, on either output.
func Exit(code int, texts ...string) types.GomegaMatcher {
	return &exit{code: code, texts: texts}
}

type exit struct {
	code  int
	texts []string
}

func (m *exit) Match(actual any) (bool, error) {
	outcome, err := asOutcome(actual)
	if err != nil {
		return false, err
	}
	return outcome.Code == m.code && len(m.missing(outcome)) == 0, nil
}

func (m *exit) missing(outcome Outcome) []string {
	var missing []string
	for _, text := range m.texts {
		if !strings.Contains(outcome.Stdout+"\n"+outcome.Stderr, text) {
			missing = append(missing, text)
		}
	}
	return missing
}

func (m *exit) FailureMessage(actual any) string {
	outcome, _ := asOutcome(actual)
	wanted := fmt.Sprintf("exit code %d", m.code)
	if missing := m.missing(outcome); len(missing) > 0 {
		wanted += fmt.Sprintf(" and the words %q", missing)
	}
	return fmt.Sprintf("wanted %s, got %s", wanted, outcome.inBrief())
}

func (m *exit) NegatedFailureMessage(actual any) string {
	outcome, _ := asOutcome(actual)
	return fmt.Sprintf("wanted anything but exit code %d with the words %q, got %s", m.code, m.texts, outcome.inBrief())
}

// Say holds for an outcome that has the text on either output.
func Say(text string) types.GomegaMatcher {
	return &say{exit{texts: []string{text}}}
}

type say struct{ exit }

func (m *say) Match(actual any) (bool, error) {
	outcome, err := asOutcome(actual)
	if err != nil {
		return false, err
	}
	return len(m.missing(outcome)) == 0, nil
}

func (m *say) FailureMessage(actual any) string {
	outcome, _ := asOutcome(actual)
	return fmt.Sprintf("wanted the words %q, got %s", m.texts, outcome.inBrief())
}

func (m *say) NegatedFailureMessage(actual any) string {
	outcome, _ := asOutcome(actual)
	return fmt.Sprintf("wanted anything but the words %q, got %s", m.texts, outcome.inBrief())
}

func asOutcome(actual any) (Outcome, error) {
	outcome, ok := actual.(Outcome)
	if !ok {
		return Outcome{}, fmt.Errorf("expected an Outcome, got %T", actual)
	}
	return outcome, nil
}

// Message is one finding of an analysis.
type Message struct {
	Code    string `json:"code"`
	Level   string `json:"level"`
	Message string `json:"message"`
	// Origin is kind and name of what the finding is about.
	Origin string `json:"origin"`
}

// String is the message in one line.
func (m Message) String() string {
	return fmt.Sprintf("%s [%s] (%s) %s", m.Level, m.Code, m.Origin, m.Message)
}

// Messages reads what was found from the output of an analysis in JSON.
func (o Outcome) Messages() ([]Message, error) {
	var messages []Message
	decoder := json.NewDecoder(strings.NewReader(o.Stdout))
	if err := decoder.Decode(&messages); err != nil {
		return nil, fmt.Errorf("no list of messages: %w; %s", err, o)
	}
	return messages, nil
}

// On gives the codes of the messages about an origin, in their order.
func On(messages []Message, origin string) []string {
	var codes []string
	for _, message := range messages {
		if message.Origin == origin {
			codes = append(codes, message.Code)
		}
	}
	return codes
}
