package discovery

import (
	"strings"
	"testing"
	"time"
)

// FuzzFileDecode: whatever a file holds, nothing panics, only valid instances
// of the service come out, and they survive being written and read again.
func FuzzFileDecode(f *testing.F) {
	for _, seed := range []string{
		`{"addr":"10.0.0.7:8080"}`,
		`{"id":"a","service":"orders","addr":"[2001:db8::1]:80","weight":7,"ttl":"15s","incarnation":"x","startedAt":"2026-01-02T03:04:05Z"}`,
		`[{"id":"a","endpoints":[{"protocol":"grpc","addr":"10.0.0.7:9090"},{"protocol":"http","addr":"unix:/run/orders.sock"}],"meta":{"k":"v"}},{},7]`,
		`[{"addr":"10.0.0.7:8080","ttl":"1h"}]`,
		`[[[[[[`, ` null`, `{}`, ``, "\xff\xfe", `{"addr":"localhost:80","ttl":"-1s"}`,
		`{"addr":"10.0.0.7:8080","meta":{"k":"\r\n"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		content, ttl, err := decodeFile("orders", "orders/a.json", b)
		if err != nil && (len(content.instances) > 0 || content.refused > 0 || ttl != 0) {
			t.Fatalf("a malformed file has content: %+v", content)
		}
		if ttl < 0 || len(content.refusals) > min(content.refused, MaxRefusals) {
			t.Fatalf("ttl %s, %d refused, %d refusals", ttl, content.refused, len(content.refusals))
		}
		for _, i := range content.instances {
			if err := i.Validate(); err != nil || i.Service != "orders" {
				t.Fatalf("instance %+v of %s: %v", i, i.Service, err)
			}
			written, err := encodeFile(*i, 15*time.Second, "me")
			if err != nil {
				continue // too large for a registration
			}
			again, ttl, err := decodeFile("orders", "orders/a.json", written)
			if err != nil || ttl != 15*time.Second || len(again.instances) != 1 || !again.instances[0].Equal(i) {
				t.Fatalf("of %s came %+v, %s, error %v", written, again.instances, ttl, err)
			}
			if incarnationOf(written) != "me" {
				t.Fatalf("incarnation %q of %s", incarnationOf(written), written)
			}
		}
	})
}

func TestFileNamesAreDistinctAndSeen(t *testing.T) {
	taken := map[string]string{}
	for _, id := range []string{"a", ".a", ":a", "-a", "_a", "a:", "a.", "a.json", ".", "..a", strings.Repeat(":", 128)} {
		name := fileName(id)
		if other, ok := taken[name]; ok {
			t.Errorf("%q and %q have the file %s", id, other, name)
		}
		taken[name] = id
		if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, fileSuffix) || strings.Contains(name, ":") || len(name) > 200 {
			t.Errorf("file of %q is %s", id, name)
		}
	}
}
