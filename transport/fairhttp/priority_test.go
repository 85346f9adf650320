package fairhttp_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/discovery"
	"github.com/fairlead-go/fairlead/ratelimit"
	"github.com/fairlead-go/fairlead/transport"
	"github.com/fairlead-go/fairlead/transport/fairhttp"
)

var (
	critical  = transport.Priority(ratelimit.Critical)
	sheddable = transport.Priority(ratelimit.Sheddable)
	ordinary  = transport.Priority(ratelimit.Default)
	forVital  = transport.OnBehalfOf(ratelimit.Critical)
	forBulk   = transport.OnBehalfOf(ratelimit.Sheddable)
)

// What servers are told of the importance of a call: what code says of it, else the
// lower of what the context and the request that is passed on say.
func TestPriorityGoesOut(t *testing.T) {
	said := func(values ...string) http.Header { return http.Header{fairhttp.Priority: values} }
	for _, c := range []struct {
		name   string
		said   []transport.CallOption
		header http.Header
		want   []string
	}{
		{"NothingIsSaid", nil, nil, nil},
		{"Critical", []transport.CallOption{critical}, nil, []string{"critical"}},
		{"Sheddable", []transport.CallOption{sheddable}, http.Header{"X-Tier": {"gold"}}, []string{"sheddable"}},
		{"OnBehalfOfSheddable", []transport.CallOption{forBulk}, nil, []string{"sheddable"}},
		{"PassedOn", nil, said("critical"), []string{"critical"}},
		{"PassedOnBesideAnother", []transport.CallOption{transport.Key("42")}, said("sheddable"), []string{"sheddable"}},
		{"PassedOnAsLessThanTheContext", []transport.CallOption{forVital}, said("sheddable"), []string{"sheddable"}},
		{"PassedOnAsMoreThanTheContext", []transport.CallOption{forBulk}, said("critical"), []string{"sheddable"}},
		{"CodeLowersIt", []transport.CallOption{sheddable}, said("critical"), []string{"sheddable"}},
		{"CodeTakesItAway", []transport.CallOption{ordinary}, said("critical"), nil},
		{"CodeRaisesIt", []transport.CallOption{critical}, said("sheddable"), []string{"critical"}},
		{"SeveralAreOne", []transport.CallOption{critical}, said("sheddable", "critical"), []string{"critical"}},
		{"WhatCannotBeReadIsPassedOn", nil, said("urgent"), []string{"urgent"}},
		{"WhatCannotBeReadIsReplaced", []transport.CallOption{sheddable}, said("urgent"), []string{"sheddable"}},
	} {
		for _, w := range wires(t) {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				first, calls := receiving(t, w.server)
				orders := newService(t, first.addr())
				client, _ := orders.client(t, w.client, nil)
				req, _ := http.NewRequestWithContext(transport.WithCall(t.Context(), c.said...), "GET", "mesh://orders/", nil)
				req.Header = maps.Clone(c.header)
				send(t, client, req)
				if got := (<-calls).header[fairhttp.Priority]; !slices.Equal(got, c.want) {
					t.Errorf("the server saw %q, want %q", got, c.want)
				}
				if fmt.Sprint(req.Header) != fmt.Sprint(c.header) {
					t.Errorf("the caller's headers are %v now", req.Header)
				}
			})
		}
	}
}

// Three servers in a row, of which each calls the next with the context of what it
// is asked, or passes the request on.
func TestPriorityOverThreeHops(t *testing.T) {
	trust := []fairhttp.HandlerOption{fairhttp.TrustPriority()}
	for _, c := range []struct {
		name  string
		first []transport.CallOption
		trust []fairhttp.HandlerOption
		then  transport.CallOption // what the second server says of its call
		want  [3]string
	}{
		{"Default", nil, trust, nil, [3]string{}},
		{"Critical", []transport.CallOption{critical}, trust, nil, [3]string{"critical", "critical", "critical"}},
		{"CriticalOfWhomNobodyTrusts", []transport.CallOption{critical}, nil, nil, [3]string{"critical"}},
		{"Sheddable", []transport.CallOption{sheddable}, trust, nil, [3]string{"sheddable", "sheddable", "sheddable"}},
		{"SheddableOfWhomNobodyTrusts", []transport.CallOption{sheddable}, nil, nil, [3]string{"sheddable", "sheddable", "sheddable"}},
		{"LoweredOnTheWay", []transport.CallOption{critical}, trust, sheddable, [3]string{"critical", "critical", "sheddable"}},
		{"RaisedByCodeOnTheWay", []transport.CallOption{sheddable}, trust, critical, [3]string{"sheddable", "sheddable", "critical"}},
	} {
		for _, passing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/passing=%t", c.name, passing), func(t *testing.T) {
				t.Parallel()
				mesh := newService(t)
				client, _ := mesh.client(t, fairhttp.Config{}, nil)
				seen := make(chan string, 3)
				next := map[string]string{"front": "middle", "middle": "back"}
				for _, name := range []string{"front", "middle", "back"} {
					proxy := &httputil.ReverseProxy{Transport: client.Transport, Rewrite: func(r *httputil.ProxyRequest) {
						r.SetURL(&url.URL{Scheme: fairhttp.Scheme, Host: next[name]})
					}}
					s := serve(t, func(w http.ResponseWriter, r *http.Request) {
						seen <- r.Header.Get(fairhttp.Priority) // on the wire
						fairhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							ctx := r.Context()
							if name == "middle" && c.then != nil {
								ctx = transport.WithCall(ctx, c.then)
							}
							switch {
							case next[name] == "":
							case passing:
								proxy.ServeHTTP(w, r.WithContext(ctx))
							default:
								ask(ctx, t, client, next[name])
							}
						}), c.trust...).ServeHTTP(w, r)
					})
					if _, err := mesh.Register(t.Context(), discovery.Addrs(name, s.addr())[0]); err != nil {
						t.Fatal(err)
					}
				}
				ask(transport.WithCall(t.Context(), c.first...), t, client, "front")
				if got := [3]string{<-seen, <-seen, <-seen}; got != c.want {
					t.Errorf("the servers were told %q, want %q", got, c.want)
				}
			})
		}
	}
}

func ask(ctx context.Context, t *testing.T, client *http.Client, service string) {
	req, _ := http.NewRequestWithContext(ctx, "GET", "mesh://"+service+"/", nil)
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
}

// What a handler makes of what a client says: the header that it sees, and the
// priority of the calls that it makes.
func TestHandlerTakesThePriority(t *testing.T) {
	first, calls := receiving(t)
	orders := newService(t, first.addr())
	client, _ := orders.client(t, fairhttp.Config{}, nil)
	trust := []fairhttp.HandlerOption{fairhttp.TrustPriority()}
	for _, c := range []struct {
		name    string
		options []fairhttp.HandlerOption
		said    []string
		sees    []string
		calls   string
	}{
		{"Nothing", trust, nil, nil, ""},
		{"Critical", trust, []string{"critical"}, []string{"critical"}, "critical"},
		{"CriticalUntrusted", nil, []string{"critical"}, nil, ""},
		{"Sheddable", nil, []string{"sheddable"}, []string{"sheddable"}, "sheddable"},
		{"Default", trust, []string{"default"}, []string{"default"}, ""},
		{"Unknown", trust, []string{"urgent"}, []string{"urgent"}, ""},
		{"InUpperCase", trust, []string{"CRITICAL"}, []string{"CRITICAL"}, ""},
		{"Empty", trust, []string{""}, []string{""}, ""},
		{"TheFirstOfSeveral", trust, []string{"sheddable", "critical"}, []string{"sheddable", "critical"}, "sheddable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fairhttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got := r.Header[fairhttp.Priority]; !slices.Equal(got, c.sees) {
					t.Errorf("the handler sees %q, want %q", got, c.sees)
				}
				ask(r.Context(), t, client, "orders")
			}), c.options...)
			req := httptest.NewRequest("GET", "/", nil).WithContext(t.Context())
			if c.said != nil {
				req.Header[fairhttp.Priority] = slices.Clone(c.said)
			}
			h.ServeHTTP(httptest.NewRecorder(), req)
			if got := (<-calls).header.Get(fairhttp.Priority); got != c.calls {
				t.Errorf("its calls say %q, want %q", got, c.calls)
			}
			if !slices.Equal(req.Header[fairhttp.Priority], c.said) {
				t.Errorf("the server's request has %q now", req.Header[fairhttp.Priority])
			}
		})
	}
}
