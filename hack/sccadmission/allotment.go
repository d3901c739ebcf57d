package main

import (
	"fmt"
	"strconv"
	"strings"
)

// What OpenShift writes on every namespace that it makes.
const (
	annotationUsers  = "openshift.io/sa.scc.uid-range"
	annotationGroups = "openshift.io/sa.scc.supplemental-groups"
)

// block is a range of ids, both ends included.
type block struct{ first, last int64 }

func (b block) holds(id int64) bool { return b.first <= id && id <= b.last }

func (b block) String() string { return fmt.Sprintf("%d-%d", b.first, b.last) }

// parseBlock reads start/size or start-end.
func parseBlock(text string) (block, error) {
	wrong := fmt.Errorf("%q is neither start/size nor start-end", text)
	number := func(text string) (int64, bool) {
		value, err := strconv.ParseUint(text, 10, 32)
		return int64(value), err == nil
	}
	left, right, sized := strings.Cut(text, "/")
	if !sized {
		var ended bool
		if left, right, ended = strings.Cut(text, "-"); !ended {
			return block{}, wrong
		}
	}
	first, fine := number(left)
	second, alsoFine := number(right)
	if !fine || !alsoFine {
		return block{}, wrong
	}
	last := second
	if sized {
		last = first + second - 1
	}
	if last < first {
		return block{}, fmt.Errorf("%q is an empty range", text)
	}
	return block{first, last}, nil
}

// allotment is what the pods of a namespace may be.
type allotment struct {
	users block
	// fsGroup is the one that restricted-v2 allows: the first of the namespace's groups.
	fsGroup int64
}

// allotted reads a namespace's annotations. The constraint admits nothing where they are missing.
func allotted(annotations map[string]string) (allotment, error) {
	users, err := parseBlock(annotations[annotationUsers])
	if err != nil {
		return allotment{}, fmt.Errorf("annotation %s: %w", annotationUsers, err)
	}
	groups, found := annotations[annotationGroups]
	if !found {
		return allotment{users: users, fsGroup: users.first}, nil
	}
	first, _, _ := strings.Cut(groups, ",")
	supplemental, err := parseBlock(first)
	if err != nil {
		return allotment{}, fmt.Errorf("annotation %s: %w", annotationGroups, err)
	}
	return allotment{users: users, fsGroup: supplemental.first}, nil
}
