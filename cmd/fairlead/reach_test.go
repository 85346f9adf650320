package main

import (
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/internal/integration/etcdtest"
)

// An etcd that is down is not a mistake of the operator's, and the other way
// round.
func TestEtcdIsDown(t *testing.T) {
	t.Parallel()
	server := etcdtest.New(t) // down
	x := terminalAt(t, server.Endpoint())
	x.env["FAIRLEAD_TIMEOUT"] = "1500ms"
	file, board := policyFile(t, "1s"), settingsFile(t, "{off: [mirror]}")
	for _, args := range []string{
		"services", "instances orders", "rules get orders", "rules history orders", "rules rollback orders", "rules delete orders",
		"rules diff " + file, "rules apply " + file, "rules apply " + file + " --dry-run", "settings get", "settings history", "settings rollback", "settings delete", "settings apply " + board, "settings off mirror", "settings on mirror --dry-run",
		"settings safe-mode on --service orders", "drain orders a", "undrain orders a", "weight orders a 5 --force",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			terminal{t, x.env}.says(exitUnreachable, []string{"cannot be reached", "connection refused"}, strings.Fields(args)...)
		})
	}
	t.Run("Password", func(t *testing.T) {
		t.Parallel()
		terminal{t, x.env}.says(exitUnreachable, []string{"cannot be reached"}, "services", "--user", "ann:secret")
	})
	x.says(exitOK, nil, "rules", "check", file)
	x.says(exitOK, nil, "settings", "check", board)
	x.says(exitInvalid, []string{"allowed are rules, routes"}, "settings", "off", "mirrors")
	x.says(exitInvalid, []string{"form.json:1:15"}, "rules", "apply", testdata+"bad/form.json")
}

// An etcd that refuses was reached.
func TestEtcdRefuses(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	x := terminalAt(t, server.Endpoint())
	server.EnableAuth(t, etcdtest.User{Name: "ann", Password: "secret", Read: prefix(t)}, etcdtest.User{Name: "bob", Password: "secret", Write: prefix(t)})
	file := policyFile(t, "1s")
	x.says(exitInvalid, []string{"refuses access"}, "services")
	x.says(exitInvalid, []string{"refuses access"}, "services", "--user", "ann:wrong")
	x.env["ETCDCTL_USER"] = "ann:secret"
	x.says(exitOK, nil, "services")
	x.says(exitInvalid, []string{"refuses access"}, "rules", "apply", file)
	x.says(exitInvalid, []string{"refuses access"}, "drain", "orders", "a", "--force")
	x.says(exitInvalid, []string{"there are no settings"}, "settings", "get")
	x.says(exitInvalid, []string{"refuses access"}, "settings", "safe-mode", "on")
	x.env["FAIRLEAD_USER"], x.env["FAIRLEAD_PASSWORD"] = "bob", "secret"
	a := x.says(exitOK, nil, "rules", "apply", file)
	x.undo(a)
	a = x.says(exitOK, []string{"--user bob"}, "rules", "apply", file, "--user", "bob")
	if strings.Contains(a.out, "secret") {
		t.Errorf("a password is said: %s", a.out)
	}
	x.undo(a)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := etcdtest.NewCA(t)
	server := etcdtest.Start(t, etcdtest.WithTLS(ca))
	own := ca.Issue("ann")
	x := terminalAt(t, server.Endpoint())
	x.says(exitOK, nil, "services", "--cacert", own.CA, "--cert", own.Cert, "--key", own.Key)
	x.says(exitOK, nil, "services", "--insecure-skip-tls-verify", "--cert", own.Cert, "--key", own.Key)
	x.env["ETCDCTL_CACERT"], x.env["ETCDCTL_CERT"], x.env["ETCDCTL_KEY"] = own.CA, own.Cert, own.Key
	x.undo(x.says(exitOK, nil, "drain", "orders", "a", "--force"))
	x.env["FAIRLEAD_TIMEOUT"] = "1500ms"
	other := etcdtest.NewCA(t).Issue("ann")
	x.says(exitUnreachable, []string{"x509"}, "services", "--cacert", other.CA)
}
