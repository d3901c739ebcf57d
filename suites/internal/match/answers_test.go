package match

import (
	"crypto/x509"
	"math/big"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/suites/internal/echo"
)

const clientID = "spiffe://cluster.local/ns/ns/sa/client"

func served(pod, caller string) echo.Answer {
	answer := echo.Answer{Status: 200, Hostname: pod, RequestHeaders: http.Header{}}
	if caller != "" {
		answer.RequestHeaders.Set("X-Forwarded-Client-Cert", "By=x;URI="+caller)
	}
	return answer
}

func answers(all ...echo.Answer) echo.Answers { return echo.Answers{Sent: len(all), All: all} }

func failed(why string) echo.Answers { return echo.Answers{Sent: 2, Failed: 2, Failure: why} }

func TestHaveStatus(t *testing.T) {
	denied := echo.Answer{Status: 403, Body: "RBAC: access denied"}
	check(t, map[string]verdict{
		"all":          {HaveStatus(200), answers(served("a", ""), served("b", "")), true, []string{"1 × 200 from a", "not to all have status 200"}},
		"one differs":  {HaveStatus(200), answers(served("a", ""), denied), false, []string{"1 × 403", "RBAC: access denied"}},
		"denied":       {HaveStatus(403), answers(denied), true, nil},
		"failed":       {HaveStatus(200), failed("EOF"), false, []string{"2 sent: 2 failed: EOF"}},
		"one is lost":  {HaveStatus(200), echo.Answers{Sent: 2, All: []echo.Answer{served("a", "")}}, false, []string{"2 sent: 1 × 200"}},
		"all are lost": {HaveStatus(200), echo.Answers{Sent: 2}, false, []string{"no answer"}},
	})
	refuses(t, HaveStatus(200), echo.Answers{})
}

func TestBeDenied(t *testing.T) {
	denied := echo.Answer{Status: 403, Body: "RBAC: access denied"}
	check(t, map[string]verdict{
		"all":                  {BeDenied(), answers(denied, denied), true, []string{"2 × 403"}},
		"one is not":           {BeDenied(), answers(denied, served("a", "")), false, []string{"1 × 200 from a"}},
		"by the server itself": {BeDenied(), answers(echo.Answer{Status: 403, Hostname: "a"}), false, []string{"403 from a"}},
		"failed":               {BeDenied(), failed("EOF"), false, []string{"EOF"}},
	})
	refuses(t, BeDenied(), echo.Answers{})
}

func TestBeServedBy(t *testing.T) {
	server := &echo.Workload{Name: "server", Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "server-1"}}}
	check(t, map[string]verdict{
		"by it":         {BeServedBy(server), answers(served("server-1", "")), true, []string{"server-1"}},
		"by its like":   {BeServedBy(server), answers(served("server-1", ""), served("server-10", "")), false, []string{"server-10"}},
		"by no echo":    {BeServedBy(server), answers(echo.Answer{Status: 404}), false, []string{"404"}},
		"not served":    {BeServedBy(server), failed("connection refused"), false, []string{"connection refused"}},
		"all are lost":  {BeServedBy(server), echo.Answers{Sent: 1}, false, nil},
		"many, all its": {BeServedBy(server), answers(served("server-1", ""), served("server-1", "")), true, []string{"2 × 200 from server-1"}},
	})
	refuses(t, BeServedBy(server), echo.Answers{})
}

func TestHaveSPIFFE(t *testing.T) {
	check(t, map[string]verdict{
		"its id":         {HaveSPIFFE(clientID), answers(served("a", clientID)), true, []string{clientID}},
		"another's":      {HaveSPIFFE(clientID), answers(served("a", clientID), served("a", clientID+"2")), false, []string{clientID + "2"}},
		"nobody's":       {HaveSPIFFE(clientID), answers(served("a", "")), false, []string{`called by ""`}},
		"none wanted":    {HaveSPIFFE(""), answers(served("a", "")), true, []string{"without an identity"}},
		"one too many":   {HaveSPIFFE(""), answers(served("a", clientID)), false, []string{clientID}},
		"nobody told":    {HaveSPIFFE(""), answers(echo.Answer{Status: 403}), false, []string{"403"}},
		"not answered":   {HaveSPIFFE(""), failed("EOF"), false, []string{"EOF"}},
		"one unanswered": {HaveSPIFFE(clientID), echo.Answers{Sent: 2, All: []echo.Answer{served("a", clientID)}}, false, nil},
	})
	refuses(t, HaveSPIFFE(""), echo.Answers{})
}

func TestPresent(t *testing.T) {
	ours := &x509.Certificate{Raw: []byte("ours"), SerialNumber: big.NewInt(0xabc)}
	other := &x509.Certificate{Raw: []byte("other"), SerialNumber: big.NewInt(0xdef)}
	secured := func(certificate *x509.Certificate) echo.Answer {
		return echo.Answer{Status: 200, Certificate: certificate}
	}
	check(t, map[string]verdict{
		"ours":      {Present(ours), answers(secured(ours), secured(ours)), true, []string{"abc"}},
		"another":   {Present(ours), answers(secured(ours), secured(other)), false, []string{"def of"}},
		"none":      {Present(ours), answers(secured(nil)), false, []string{"presenting none"}},
		"no answer": {Present(ours), failed("x509: unknown authority"), false, []string{"x509"}},
	})
	refuses(t, Present(ours), echo.Answers{})
}

func TestBeCutOff(t *testing.T) {
	check(t, map[string]verdict{
		"reset":      {BeCutOff(), failed("2/2 requests had errors; first error: read tcp 1->2: read: connection reset by peer"), true, []string{"reset by peer"}},
		"refused":    {BeCutOff(), failed("dial tcp 127.0.0.1:1: connect: connection refused"), false, []string{"connection refused"}},
		"closed":     {BeCutOff(), failed(`Get "http:/": EOF`), true, nil},
		"timed out":  {BeCutOff(), failed("request set timed out after 10s and only 0/1 requests completed"), false, []string{"timed out"}},
		"no address": {BeCutOff(), failed("lookup server: no such host"), false, []string{"no such host"}},
		"answered":   {BeCutOff(), answers(served("a", "")), false, []string{"200 from a"}},
		"denied":     {BeCutOff(), answers(echo.Answer{Status: 403}), false, []string{"403"}},
		"only one":   {BeCutOff(), echo.Answers{Sent: 2, Failed: 1, Failure: "EOF"}, false, []string{"1 failed: EOF"}},
		"lost":       {BeCutOff(), echo.Answers{Sent: 1}, false, nil},
		"whose":      {BeCutOff(), echo.Answers{Way: "client.ns to http://server/", Sent: 1}, false, []string{"client.ns to http://server/: 1 sent"}},
	})
	refuses(t, BeCutOff(), echo.Answers{})
}

func TestBeTurnedAway(t *testing.T) {
	check(t, map[string]verdict{
		"told":       {BeTurnedAway(), failed("remote error: tls: unknown certificate authority"), true, nil},
		"too late":   {BeTurnedAway(), failed("write tcp 1->2: write: broken pipe"), true, nil},
		"cut off":    {BeTurnedAway(), failed("read tcp 1->2: read: connection reset by peer"), true, nil},
		"refused":    {BeTurnedAway(), failed("connect: connection refused"), false, []string{"connection refused", "turned away"}},
		"only one":   {BeTurnedAway(), echo.Answers{Sent: 2, Failed: 1, Failure: "unknown certificate authority"}, false, nil},
		"one by EOF": {BeTurnedAway(), echo.Answers{Sent: 2, Failed: 1, Failure: "EOF"}, false, nil},
		"answered":   {BeTurnedAway(), answers(served("a", "")), false, []string{"200 from a"}},
	})
	refuses(t, BeTurnedAway(), echo.Answers{})
}

func TestFailWith(t *testing.T) {
	check(t, map[string]verdict{
		"it":       {FailWith("unknown authority"), failed("tls: x509: certificate signed by unknown authority"), true, nil},
		"other":    {FailWith("unknown authority"), failed("EOF"), false, []string{"EOF", "unknown authority"}},
		"only one": {FailWith("EOF"), echo.Answers{Sent: 2, Failed: 1, Failure: "EOF"}, false, nil},
		"answered": {FailWith("unknown authority"), answers(served("a", "")), false, []string{"200"}},
	})
	refuses(t, FailWith(""), echo.Answers{})
}
