package discovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
)

// wantFieldError fails unless err names that field and value, and says what is
// allowed. No field: no error.
func wantFieldError(t *testing.T, err error, field string, value any) {
	t.Helper()
	if field == "" {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	e, ok := errors.AsType[*discovery.FieldError](err)
	if !ok {
		t.Fatalf("error %v, want a FieldError for %s", err, field)
	}
	if e.Field != field || e.Value != value {
		t.Errorf("the error names field %s and value %v, want %s and %v", e.Field, e.Value, field, value)
	}
	if e.Allowed == "" {
		t.Error("the error does not say what is allowed")
	}
	if !errors.Is(err, discovery.ErrInvalid) {
		t.Error("the error is not ErrInvalid")
	}
}

func TestFieldErrorMessage(t *testing.T) {
	for _, row := range []struct {
		name string
		err  discovery.FieldError
		want string
	}{
		{"text is quoted", discovery.FieldError{Field: "service", Value: "A\nB", Allowed: "a-z"}, `service "A\nB" is invalid: allowed is a-z`},
		{"a number is not", discovery.FieldError{Field: "Instance.Weight", Value: -1, Allowed: "0 to 9"}, `Instance.Weight -1 is invalid: allowed is 0 to 9`},
		{"long text is cut", discovery.FieldError{Field: "service", Value: strings.Repeat("a", 121), Allowed: "less"}, `service "` + strings.Repeat("a", 120) + `…" is invalid: allowed is less`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.err.Error(); got != row.want {
				t.Errorf("Error() = %s\nwant      %s", got, row.want)
			}
		})
	}
}
