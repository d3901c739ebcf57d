package echo

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// twoAnswers is what the echo client of 1.20.0 prints.
const twoAnswers = `[0] Url=http://server.ns.svc.cluster.local/a?x=1
[0] Latency=3.397329ms
[0] ActiveRequests=1
[0] StatusCode=200
[0] ResponseHeader=Content-Length:227
[0] ResponseHeader=Date:Mon, 23 Nov 2026 17:35:50 GMT
[0 body] ServiceVersion=
[0 body] ServicePort=8080
[0 body] Host=server.ns.svc.cluster.local
[0 body] URL=/a?x=1
[0 body] Method=GET
[0 body] Proto=HTTP/1.1
[0 body] IP=127.0.0.6
[0 body] RequestHeader=User-Agent:Go-http-client/1.1
[0 body] RequestHeader=X-Forwarded-Client-Cert:By=spiffe://cluster.local/ns/ns/sa/server;Hash=c0ffee;Subject="";URI=spiffe://cluster.local/ns/ns/sa/client
[0 body] Hostname=server-7d-abc

[1] Url=http://server.ns.svc.cluster.local/a?x=1
[1] StatusCode=403
[1] ResponseHeader=Server:envoy
[1 body] RBAC: access denied

2026-11-23T17:35:50.760518Z	info	All requests succeeded
`

func TestParseOutput(t *testing.T) {
	answers, err := parseOutput(twoAnswers)
	if err != nil {
		t.Fatal(err)
	}
	if len(answers) != 2 {
		t.Fatalf("%d answers", len(answers))
	}
	served, denied := answers[0], answers[1]
	if served.Status != 200 || served.Hostname != "server-7d-abc" || served.Host != "server.ns.svc.cluster.local" ||
		served.URL != "/a?x=1" || served.Method != "GET" || served.Proto != "HTTP/1.1" {
		t.Errorf("served: %+v", served)
	}
	if got := served.ResponseHeaders.Get("Date"); got != "Mon, 23 Nov 2026 17:35:50 GMT" {
		t.Errorf("a header's own colons: %q", got)
	}
	if got := served.RequestHeaders.Get("User-Agent"); got != "Go-http-client/1.1" {
		t.Errorf("request header: %q", got)
	}
	if got := served.Client(); got != "spiffe://cluster.local/ns/ns/sa/client" {
		t.Errorf("client: %q", got)
	}
	if denied.Status != 403 || denied.Hostname != "" || !strings.Contains(denied.Body, "RBAC: access denied") || denied.Client() != "" {
		t.Errorf("denied: %+v", denied)
	}
}

func TestParseOutputOfTCP(t *testing.T) {
	answers, err := parseOutput("[0] Url=tcp://server:9090\n[0] Echo=HelloWorld\n[0 body] StatusCode=200\n[0 body] Proto=TCP\n[0 body] Hostname=server-1\n[0 body] HelloWorld\n")
	if err != nil || len(answers) != 1 || answers[0].Status != 200 || answers[0].Hostname != "server-1" || answers[0].Proto != "TCP" {
		t.Errorf("got %+v, %v", answers, err)
	}
}

func TestParseOutputRefusesHalfAnAnswer(t *testing.T) {
	for name, output := range map[string]string{
		"no status":  "[0] Url=http://server\n[0 body] Hostname=server-1\n",
		"bad status": "[0] StatusCode=OK\n",
	} {
		if answers, err := parseOutput(output); err == nil {
			t.Errorf("%s: got %+v", name, answers)
		}
	}
	if answers, err := parseOutput("2026-11-23T17:35:50Z\tinfo\tAll requests succeeded\n[x] StatusCode=200\n[]\n"); err != nil || len(answers) != 0 {
		t.Errorf("got %+v, %v", answers, err)
	}
}

func TestClientOfAForwardedCertificate(t *testing.T) {
	const client, gateway = "spiffe://cluster.local/ns/a/sa/client", "spiffe://cluster.local/ns/a/sa/gateway"
	cases := map[string]struct {
		headers []string
		want    string
	}{
		"none":                      {nil, ""},
		"without a URI":             {[]string{"By=" + client + ";Hash=1"}, ""},
		"one element":               {[]string{"By=x;Hash=1;Subject=\"\";URI=" + client}, client},
		"the last proxy's client":   {[]string{"Hash=1;URI=" + client + ",By=x;URI=" + gateway}, gateway},
		"two headers":               {[]string{"URI=" + client, "URI=" + gateway}, gateway},
		"a subject with separators": {[]string{`Subject="CN=a;b,O=c;URI=spoofed";URI=` + client}, client},
		"quoted":                    {[]string{`URI="` + client + `"`}, client},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			answer := Answer{RequestHeaders: http.Header{"X-Forwarded-Client-Cert": c.headers}}
			if got := answer.Client(); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAnswersInAFewWords(t *testing.T) {
	served := Answer{Status: 200, Hostname: "server-1"}
	cases := map[string]Answers{
		"3 sent: 2 × 200 from server-1, 1 × 403 \"RBAC: access denied\"": {Sent: 3, All: []Answer{served, {Status: 403, Body: "RBAC: access denied\n"}, served}},
		"1 sent: 1 × 404 without a body":                                 {Sent: 1, All: []Answer{{Status: 404}}},
		"2 sent: 1 × 200 from server-1, 1 failed: connection refused":    {Sent: 2, All: []Answer{served}, Failed: 1, Failure: "connection refused"},
		"0 sent: no answer": {},
	}
	for want, answers := range cases {
		if got := answers.String(); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestAnd(t *testing.T) {
	answered := func(number int) Answers {
		return Answers{Way: "way", Sent: number, All: make([]Answer, number)}
	}
	failed := Answers{Way: "way", Sent: 2, Failed: 1, Failure: "why"}
	for name, c := range map[string]struct{ first, second, want Answers }{
		"the first":           {Answers{}, answered(2), answered(2)},
		"two":                 {answered(2), answered(1), answered(3)},
		"failed after":        {answered(2), failed, Answers{Way: "way", Sent: 4, All: make([]Answer, 2), Failed: 1, Failure: "why"}},
		"failed before":       {failed, answered(2), Answers{Way: "way", Sent: 4, All: make([]Answer, 2), Failed: 1, Failure: "why"}},
		"failed both, by why": {failed, Answers{Way: "way", Sent: 2, Failed: 2, Failure: "why not"}, Answers{Way: "way", Sent: 4, Failed: 3, Failure: "why"}},
	} {
		t.Run(name, func(t *testing.T) {
			if is := c.first.And(c.second); !reflect.DeepEqual(is, c.want) {
				t.Errorf("joined to %+v", is)
			}
		})
	}
}
