package discovery

// NewDNSOver is NewDNS with a resolver that a test wrote.
func NewDNSOver(config DNSConfig, r resolver) (*DNS, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return openDNS(config.normalize(), r), nil
}
