package main

import (
	"strings"
	"testing"
)

func TestParseBlock(t *testing.T) {
	for text, want := range map[string]block{
		"1000650000/10000":      {1000650000, 1000659999},
		"1000650000-1000650499": {1000650000, 1000650499},
		"7/1":                   {7, 7},
		"7-7":                   {7, 7},
	} {
		if got, err := parseBlock(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "/", "-", "7/", "/7", "7-", "a/7", "7/b", "7/2x", "7/0", "7-6", "-7-9", "1/2/3", "4294967296/1"} {
		if got, err := parseBlock(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestBlockHolds(t *testing.T) {
	b := block{10, 20}
	for id, want := range map[int64]bool{9: false, 10: true, 20: true, 21: false} {
		if b.holds(id) != want {
			t.Errorf("%s holds %d: %v", b, id, !want)
		}
	}
}

func TestAllotted(t *testing.T) {
	for name, c := range map[string]struct {
		annotations map[string]string
		want        allotment
	}{
		"users and groups":       {map[string]string{annotationUsers: "100/10", annotationGroups: "200/10"}, allotment{block{100, 109}, 200}},
		"several ranges of them": {map[string]string{annotationUsers: "100/10", annotationGroups: "300/10,200/10"}, allotment{block{100, 109}, 300}},
		"users only":             {map[string]string{annotationUsers: "100/10"}, allotment{block{100, 109}, 100}},
	} {
		if got, err := allotted(c.annotations); err != nil || got != c.want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		annotations map[string]string
		says        string
	}{
		"none":        {nil, annotationUsers},
		"groups only": {map[string]string{annotationGroups: "200/10"}, annotationUsers},
		"no range":    {map[string]string{annotationUsers: "100"}, annotationUsers},
		"no group":    {map[string]string{annotationUsers: "100/10", annotationGroups: ""}, annotationGroups},
	} {
		if got, err := allotted(c.annotations); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
