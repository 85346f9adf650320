package proxies

import (
	"os"
	"testing"
)

// TestMain lets fairlead's proxy be this test binary in another role.
func TestMain(m *testing.M) {
	Play()
	os.Exit(m.Run())
}
