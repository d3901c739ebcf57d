package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// packetFilters are the programs an engine sets rules with; each has a -save and a -restore.
var packetFilters = []string{"iptables", "ip6tables"}

// dockerChain are the chains an engine makes.
var dockerChain = regexp.MustCompile(`^DOCKER(-[A-Z0-9-]+)?$`)

// trace is what tells this engine's rules from all others.
type trace struct {
	bridges []string
	pool    netip.Prefix // invalid when unknown
	// shared says that another engine works here: chains and policy are also its own.
	shared bool
	// chains are those ("table chain") that were there before this engine.
	chains []string
	// forward is the policy of the filter table's FORWARD chain before this engine.
	forward string
}

// unhook turns what iptables-save printed into what makes iptables-restore --noflush take
// this engine's rules, chains and policy out. It gives nothing where there is nothing of it.
func unhook(saved string, of trace) string {
	var script strings.Builder
	var table string
	var rules, chains, policy []string
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table, rules, chains, policy = line[1:], nil, nil, nil
		case strings.HasPrefix(line, ":"):
			words := strings.Fields(line[1:])
			switch {
			case len(words) < 2:
			case table == "filter" && words[0] == "FORWARD" && !of.shared && of.forward != "" && of.forward != words[1]:
				policy = append(policy, "-P FORWARD "+of.forward)
			case of.ownsChain(table, words[0]):
				chains = append(chains, words[0])
			}
		case strings.HasPrefix(line, "-A "):
			words := ruleWords(line)
			if !slices.Contains(chains, words[1]) && of.ownsRule(words, chains) {
				rules = append(rules, "-D"+strings.TrimPrefix(line, "-A"))
			}
		case line == "COMMIT":
			if len(rules)+len(chains)+len(policy) == 0 {
				continue
			}
			fmt.Fprintf(&script, "*%s\n", table)
			for _, rule := range append(policy, rules...) {
				fmt.Fprintln(&script, rule)
			}
			// Chains refer to each other: all are emptied before the first is removed.
			for _, chain := range chains {
				fmt.Fprintf(&script, "-F %s\n", chain)
			}
			for _, chain := range chains {
				fmt.Fprintf(&script, "-X %s\n", chain)
			}
			fmt.Fprintln(&script, "COMMIT")
		}
	}
	return script.String()
}

// ruleWords splits a rule; a quoted comment, whatever it says, is one word.
func ruleWords(rule string) []string {
	var words []string
	for rule = strings.TrimLeft(rule, " "); rule != ""; rule = strings.TrimLeft(rule, " ") {
		word, rest, _ := strings.Cut(rule, " ")
		if quoted, err := strconv.QuotedPrefix(rule); err == nil {
			word, rest = quoted, rule[len(quoted):]
		}
		words, rule = append(words, word), rest
	}
	return words
}

func (t trace) ownsChain(table, chain string) bool {
	return !t.shared && dockerChain.MatchString(chain) && !slices.Contains(t.chains, table+" "+chain)
}

// ownsRule says whether a rule jumps into one of the chains or names one of this engine's
// bridges or addresses.
func (t trace) ownsRule(words, chains []string) bool {
	for i := 0; i+1 < len(words); i++ {
		value := words[i+1]
		switch words[i] {
		case "-j", "-g":
			if slices.Contains(chains, value) {
				return true
			}
		case "-i", "-o":
			if slices.Contains(t.bridges, value) {
				return true
			}
		case "-s", "-d":
			if prefix, err := netip.ParsePrefix(value); err == nil && t.pool.IsValid() &&
				t.pool.Bits() <= prefix.Bits() && t.pool.Contains(prefix.Addr()) {
				return true
			}
		}
	}
	return false
}

// chainsOf lists "table chain" of every chain of an engine in what iptables-save printed,
// and the policy of the FORWARD chain.
func chainsOf(saved string) (chains []string, forward string) {
	var table string
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		if name, found := strings.CutPrefix(line, "*"); found {
			table = name
			continue
		}
		name, found := strings.CutPrefix(line, ":")
		words := strings.Fields(name)
		if !found || len(words) < 2 {
			continue
		}
		if dockerChain.MatchString(words[0]) {
			chains = append(chains, table+" "+words[0])
		}
		if table == "filter" && words[0] == "FORWARD" {
			forward = words[1]
		}
	}
	return chains, forward
}

// saveRules prints the rules of one packet filter; a machine without it has none.
func saveRules(ctx context.Context, filter string) (string, error) {
	save, err := findProgram(filter + "-save")
	if err != nil {
		return "", nil
	}
	rules, err := output(ctx, os.Environ(), save)
	if err != nil {
		return "", fmt.Errorf("read the packet filter's rules: %w", err)
	}
	return rules, nil
}

// removeRules takes this engine's rules out of every packet filter.
func removeRules(ctx context.Context, of func(filter string) trace) error {
	var failures []error
	for _, filter := range packetFilters {
		saved, err := saveRules(ctx, filter)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		script := unhook(saved, of(filter))
		if script == "" {
			continue
		}
		restore, err := findProgram(filter + "-restore")
		if err != nil {
			failures = append(failures, err)
			continue
		}
		command := exec.CommandContext(ctx, restore, "--noflush", "--wait")
		command.Stdin = strings.NewReader(script)
		if said, err := command.CombinedOutput(); err != nil {
			failures = append(failures, fmt.Errorf("remove the engine's packet filter rules: %w: %s", err, said))
		}
	}
	return errors.Join(failures...)
}
