package gatewaydeploy

import "testing"

func TestSidecarImage(t *testing.T) {
	cases := map[string]struct {
		values, want string
	}{
		"by hub and tag":   {`{"global":{"hub":"example.com/istio","tag":"1.20.0","proxy":{"image":"proxyv2"}}}`, "example.com/istio/proxyv2:1.20.0"},
		"a tag as number":  {`{"global":{"hub":"example.com/istio","tag":1.20,"proxy":{"image":"proxyv2"}}}`, "example.com/istio/proxyv2:1.2"},
		"in full":          {`{"global":{"hub":"ignored","tag":"ignored","proxy":{"image":"example.com/proxy:1"}}}`, "example.com/proxy:1"},
		"without a tag":    {`{"global":{"hub":"example.com/istio","proxy":{"image":"proxyv2"}}}`, ""},
		"without an image": {`{"global":{"hub":"example.com/istio","tag":"1"}}`, ""},
		"not JSON":         {`global:`, ""},
		"nothing":          {``, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := sidecarImage(c.values)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
