package etcd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/discovery"
)

// Kratos is the [Layout] of kratos (contrib/registry/etcd): a JSON object at
// <namespace>/<service>/<id>. Endpoints of schemes other than http and grpc are
// passed over. A weight is taken from the metadata, where kratos keeps it.
type Kratos struct {
	Namespace string // "" means "/microservices", as in kratos
}

// Prefix implements [Layout].
func (l Kratos) Prefix(service string) string {
	return strings.TrimSuffix(cmp.Or(l.Namespace, "/microservices"), "/") + "/" + service + "/"
}

// Decode implements [Layout].
func (Kratos) Decode(service, _ string, value []byte) (discovery.Instance, error) {
	var r struct {
		Name      string            `json:"name"`
		Version   string            `json:"version"`
		Metadata  map[string]string `json:"metadata"`
		Endpoints []string          `json:"endpoints"`
	}
	if err := strict(value); err != nil {
		return discovery.Instance{}, err
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return discovery.Instance{}, err
	}
	if r.Name != service {
		return discovery.Instance{}, fmt.Errorf("record is of the service %.253q", r.Name)
	}
	i := discovery.Instance{Version: r.Version, Meta: r.Metadata}
	for _, e := range r.Endpoints {
		u, err := url.Parse(e)
		if err != nil {
			return discovery.Instance{}, fmt.Errorf("endpoint: %w", err)
		}
		if p := discovery.Protocol(u.Scheme); p == discovery.HTTP || p == discovery.GRPC {
			i.Endpoints = append(i.Endpoints, discovery.Endpoint{Protocol: p, Addr: u.Host})
			if i.Addr == "" || p == discovery.GRPC {
				i.Addr = u.Host
			}
		}
	}
	if weight, ok := r.Metadata["weight"]; ok {
		n, err := strconv.Atoi(weight)
		if err != nil {
			return discovery.Instance{}, fmt.Errorf("metadata: weight %.32q is not a whole number", weight)
		}
		i.Weight = n
	}
	return i, nil
}
