package discovery

const nameRule = "a lower-case DNS name of at most 253 bytes: labels of a-z, 0-9 and inner hyphens, at most 63 bytes each, joined by dots, the last not all digits"

// ValidateService reports whether name can be the name of a service. It is the
// host of a URL, a segment of an etcd key and a gRPC target at once, so it has
// to be a lower-case DNS name (RFC 1123) that cannot be taken for an IP
// address. The error is a [*FieldError].
func ValidateService(name string) error {
	if !validName(name) {
		return &FieldError{Field: "service", Value: name, Allowed: nameRule}
	}
	return nil
}

func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	start, digits := 0, true
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			c := name[i]
			if c < '0' || c > '9' {
				digits = false
			}
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
			continue
		}
		label := name[start:i]
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if i == len(name) {
			return !digits
		}
		start, digits = i+1, true
	}
	return false
}
