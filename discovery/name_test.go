package discovery_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

func TestValidateService(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	name253 := strings.Join([]string{label63, label63, label63, strings.Repeat("b", 61)}, ".")
	for _, row := range []struct {
		name, service string
		ok            bool
	}{
		{"one label", "orders", true},
		{"one letter", "a", true},
		{"labels", "orders.eu.example", true},
		{"inner hyphens", "user--admin.x-1", true},
		{"first label all digits", "10.orders", true},
		{"last label begins with a digit", "orders.3com", true},
		{"label of 63 bytes", label63, true},
		{"name of 253 bytes", name253, true},

		{"empty", "", false},
		{"upper case", "Orders", false},
		{"underscore", "user_admin", false},
		{"slash, which would end the segment of a key", "orders/x", false},
		{"colon, which would begin a port", "orders:80", false},
		{"space", "orders ", false},
		{"line break", "orders\n", false},
		{"zero byte", "orders\x00", false},
		{"umlaut", "bücher", false},
		{"percent escape", "orders%2f", false},
		{"empty label", "orders..eu", false},
		{"dot at the start", ".orders", false},
		{"dot at the end", "orders.", false},
		{"path trick", "..", false},
		{"hyphen at the start", "-orders", false},
		{"hyphen at the end", "orders-", false},
		{"hyphen at the end of an inner label", "orders-.eu", false},
		{"label of 64 bytes", label63 + "a", false},
		{"name of 254 bytes", name253 + "b", false},
		{"IPv4 address", "10.0.0.7", false},
		{"IPv6 address", "::1", false},
		{"all digits", "42", false},
		{"last label all digits", "orders.7", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			field := "service"
			if row.ok {
				field = ""
			}
			wantFieldError(t, discovery.ValidateService(row.service), field, row.service)
		})
	}
}

var (
	nameModel   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\z`)
	numberModel = regexp.MustCompile(`(^|\.)[0-9]+\z`)
)

func FuzzValidateService(f *testing.F) {
	for _, s := range []string{"", "orders", "a-b.c", "-a", "a-", "a..b", "1.2.3.4", "a.4", "4.a", "A", "a\n", strings.Repeat("a", 64), strings.Repeat("a.", 126) + "aa"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := len(s) <= 253 && nameModel.MatchString(s) && !numberModel.MatchString(s)
		if err := discovery.ValidateService(s); (err == nil) != want {
			t.Errorf("ValidateService(%q) = %v, valid by the model: %t", s, err, want)
		}
	})
}
