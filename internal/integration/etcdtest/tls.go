package etcdtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA issues certificates. It lives as long as its test.
type CA struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Files are PEM files of an identity and of those it trusts.
type Files struct{ Cert, Key, CA string }

// NewCA returns an authority of the test's own.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{t: t, dir: t.TempDir(), key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "etcdtest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &ca.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.write("ca.pem", "CERTIFICATE", der)
	return ca
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Issue returns a certificate with a common name, which is also valid for
// servers of that name, wherever they are.
func (ca *CA) Issue(name string) Files {
	ca.t.Helper()
	return ca.issue(name, name, time.Now().Add(24*time.Hour))
}

// IssueExpired returns one that was valid until a minute ago.
func (ca *CA) IssueExpired(name string) Files {
	ca.t.Helper()
	return ca.issue(name, name+"-expired", time.Now().Add(-time.Minute))
}

// issue returns a certificate that is also valid for servers at these hosts.
func (ca *CA) issue(name, file string, until time.Time, hosts ...netip.Addr) Files {
	ca.t.Helper()
	key := newKey(ca.t)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		ca.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{name},
	}
	for _, host := range hosts {
		template.IPAddresses = append(template.IPAddresses, host.AsSlice())
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		ca.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatal(err)
	}
	return Files{
		Cert: ca.write(file+".pem", "CERTIFICATE", der),
		Key:  ca.write(file+".key", "PRIVATE KEY", private),
		CA:   filepath.Join(ca.dir, "ca.pem"),
	}
}

func (ca *CA) write(name, block string, der []byte) (path string) {
	ca.t.Helper()
	path = filepath.Join(ca.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: block, Bytes: der}), 0o600); err != nil {
		ca.t.Fatal(err)
	}
	return path
}

// Client returns what somebody with a certificate for name dials with.
func (ca *CA) Client(name string) *tls.Config {
	ca.t.Helper()
	c, err := ca.Issue(name).Client()
	if err != nil {
		ca.t.Fatal(err)
	}
	return c
}

// Client returns what the owner of the files dials with.
func (f Files) Client() (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	trusted, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	return &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: roots}, nil
}
