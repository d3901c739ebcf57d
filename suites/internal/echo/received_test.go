package echo

import (
	"strings"
	"testing"
)

// receivedLog is what the echo server of 1.20.0 writes; tabs stand between its first four fields.
const receivedLog = `2026-11-23T20:37:55.451014Z	info	endpoint	HTTP/1.1 Request	remoteAddr=127.0.0.6 method=GET url=/ host=10.244.0.81:8080 headers=map[Accept:[*/*] User-Agent:[kube-probe/1.28]] id=5b2c
2026-11-23T20:37:55.451734Z	info	endpoint	HTTP/1.1 Response	code=200 headers=map[Content-Type:[application/text]] id=5b2c
2026-11-23T20:37:59.363452Z	info	endpoint	HTTP/1.1 Request	remoteAddr=127.0.0.6 method=POST url=/a?x=y&headers=x-body:42 host=server.ns.svc.cluster.local-shadow:80 headers=map[Content-Length:[0] Old-X-Request-Id:[other] X-Request-Id:[d329] X-Run:[abc]] id=d29e
2026-11-23T20:37:59.363455Z	info	endpoint	HTTP/1.1 Request	remoteAddr=127.0.0.6 method=GET url=/b host=server headers=map[X-Request-Id:[8942]] id=f18f
2026-11-23T20:37:59.363659Z	info	endpoint	HTTP/1.1 Response	code=200 headers=map[Content-Type:[application/text] x-body:[42]] id=d29e
2026-11-23T20:38:00.225368Z	info	endpoint	GRPC Request	message=hello, world="5" headers=map[:authority:[10.244.0.81:7070] content-type:[application/grpc] x-request-id:[0] x-run:[abc]] id=f540
2026-11-23T20:38:00.225432Z	info	endpoint	GRPC Response	id=f540
2026-11-23T20:38:01.225432Z	info	endpoint	HTTP/1.1 Response	code=200 headers=map[x-body:[7]] id=older
`

func TestParseLog(t *testing.T) {
	all, err := ParseLog(receivedLog)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("read %d requests: %+v", len(all), all)
	}
	posted, open, called := all[1], all[2], all[3]
	for name, c := range map[string]struct{ got, want string }{
		"probe":                {all[0].Header("User-Agent"), "kube-probe/1.28"},
		"proto":                {posted.Proto, "HTTP/1.1"},
		"method":               {posted.Method, "POST"},
		"url":                  {posted.URL, "/a?x=y&headers=x-body:42"},
		"host":                 {posted.Host, "server.ns.svc.cluster.local-shadow:80"},
		"header":               {posted.Header("X-Request-Id"), "d329"},
		"first header":         {posted.Header("content-length"), "0"},
		"no header":            {posted.Header("Run"), ""},
		"answered":             {posted.Answered("X-Body"), "42"},
		"no answer's header":   {posted.Answered("X-Run"), ""},
		"not answered yet":     {open.Answered("X-Body"), ""},
		"gRPC":                 {called.Proto, "GRPC"},
		"message":              {called.Message, `hello, world="5"`},
		"authority":            {called.Host, "10.244.0.81:7070"},
		"gRPC's small letters": {called.Header("X-Request-Id"), "0"},
		"gRPC's method":        {called.Method, ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, not %q", name, c.got, c.want)
		}
	}
}

func TestParseLogRefusesWhatItDoesNotKnow(t *testing.T) {
	changed := strings.Replace(receivedLog, "method=POST url=", "verb=POST url=", 1)
	if all, err := ParseLog(changed); err == nil || !strings.Contains(err.Error(), "verb=POST") {
		t.Errorf("read %+v, %v", all, err)
	}
}

func TestParseLogOfNoRequests(t *testing.T) {
	all, err := ParseLog("2026-11-23T20:38:00.225368Z\tinfo\tendpoint\tready for HTTP endpoint http://x\n")
	if err != nil || len(all) != 0 {
		t.Errorf("read %+v, %v", all, err)
	}
}
