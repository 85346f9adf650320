package discovery_test

import (
	"encoding/json"
	"testing"
)

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantJSON(t *testing.T, v any, want string) {
	t.Helper()
	if got := jsonOf(t, v); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
