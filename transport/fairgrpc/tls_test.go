package fairgrpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// identity makes a certificate of a service and the pool that trusts it.
func identity(t *testing.T, service string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{service}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// With TLS, whoever answers at an address of the registry has to prove to be
// the service that was asked for.
func TestTLSServerNameIsTheService(t *testing.T) {
	for _, tt := range []struct {
		certified string
		want      codes.Code
	}{
		{"orders", codes.OK},
		{"billing", codes.Unavailable},
	} {
		t.Run(tt.certified, func(t *testing.T) {
			w := newWorld(t)
			certificate, pool := identity(t, tt.certified)
			a := start(t, "a", grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
			w.announce(a)
			conn := w.dial(grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})))
			_, err := call(within(t), conn, get, "")
			if status.Code(err) != tt.want || err != nil && !strings.Contains(err.Error(), "valid for billing, not orders") {
				t.Errorf("error is %v", err)
			}
		})
	}
}
