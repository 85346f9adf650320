package caller

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/fairlead-go/fairlead/internal/integration/fleet"
	"github.com/fairlead-go/fairlead/transport"
)

// overHTTP calls with GET, or with POST where the call is not idempotent.
func overHTTP(s Settings, client *http.Client) sender {
	return func(ctx context.Context, c *call, key string) (answer string, err error) {
		method, body := http.MethodGet, io.Reader(nil)
		if !c.Idempotent {
			method, body = http.MethodPost, strings.NewReader("an order")
		}
		req, err := http.NewRequestWithContext(ctx, method, "mesh://"+s.Service+"/", body)
		if err != nil {
			return "", err
		}
		req.Header.Set(fleet.CallHeader, key)
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return "", fmt.Errorf("body: %w", err)
		}
		if resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s: %s", resp.Status, text)
		}
		if s.DNS != "" {
			return resp.Header.Get(fleet.AddrHeader), nil // their IDs, there
		}
		return string(text), nil
	}
}

// overGRPC calls the one method there is.
func overGRPC(client grpc_testing.TestServiceClient) sender {
	return func(ctx context.Context, c *call, key string) (answer string, err error) {
		ctx = transport.WithCall(ctx, transport.Idempotent(c.Idempotent))
		ctx = metadata.AppendToOutgoingContext(ctx, fleet.CallHeader, key)
		reply, err := client.UnaryCall(ctx, &grpc_testing.SimpleRequest{})
		return reply.GetServerId(), err
	}
}
