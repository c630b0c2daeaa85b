// Package once makes calls of generated clients take effect once: each has a number in its session, and is
// sent again under that.
package once

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// sessionsMax is how many sessions without a call under way are remembered, more or less.
const sessionsMax = 4096

var parts = []string{"x-voda-namespace", "x-voda-agent", "x-voda-session"}

// Numbers are those of one program: one serves all of its clients.
type Numbers struct {
	mutex    sync.Mutex
	sessions map[string]*session
}

type session struct {
	client string
	next   uint64
	open   map[uint64]bool
}

// take gives the value of the header of the next call, and what to do when it is over.
func (n *Numbers) take(name string) (string, func()) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.sessions == nil || len(n.sessions) > sessionsMax {
		n.forget()
	}
	one := n.sessions[name]
	if one == nil {
		id := make([]byte, 16)
		rand.Read(id)
		one = &session{client: hex.EncodeToString(id), next: 1, open: map[uint64]bool{}}
		n.sessions[name] = one
	}
	seq := one.next
	one.next++
	one.open[seq] = true
	lowest := seq
	for number := range one.open {
		lowest = min(lowest, number)
	}
	return fmt.Sprintf("%s.%d.%d", one.client, seq, lowest), func() {
		n.mutex.Lock()
		defer n.mutex.Unlock()
		delete(one.open, seq)
	}
}

// forget drops those without a call under way: they start anew, as other clients.
func (n *Numbers) forget() {
	kept := map[string]*session{}
	for name, one := range n.sessions {
		if len(one.open) > 0 {
			kept[name] = one
		}
	}
	n.sessions = kept
}

// Retry is for grpc.WithDefaultServiceConfig.
const Retry = `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.5s",
	"maxBackoff": "2s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

// GRPC is for grpc.WithUnaryInterceptor.
func (n *Numbers) GRPC(
	ctx context.Context, method string, request, reply any,
	connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	known, _ := metadata.FromOutgoingContext(ctx)
	get := func(name string) string { return strings.Join(known.Get(name), "") }
	if get("idempotency-key") == "" {
		call, done := n.take(nameOf(method, get))
		defer done()
		ctx = metadata.AppendToOutgoingContext(ctx, "x-voda-call", call)
	}
	return invoke(ctx, method, request, reply, connection, options...)
}

// attemptsMax is how often Connect sends a call.
const attemptsMax = 8

// Connect is for connect.WithInterceptors.
func (n *Numbers) Connect() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			if request.Header().Get("idempotency-key") == "" {
				call, done := n.take(nameOf(request.Spec().Procedure, request.Header().Get))
				defer done()
				request.Header().Set("x-voda-call", call)
			}
			pause := 100 * time.Millisecond
			for attempt := 1; ; attempt++ {
				answer, err := next(ctx, request)
				if attempt == attemptsMax || connect.CodeOf(err) != connect.CodeUnavailable {
					return answer, err
				}
				select {
				case <-ctx.Done():
					return answer, err
				case <-time.After(pause):
					pause = min(2*pause, 2*time.Second)
				}
			}
		}
	}
}

func nameOf(procedure string, get func(string) string) string {
	name := procedure[:strings.LastIndex(procedure, "/")]
	for _, part := range parts {
		name += "\n" + get(part)
	}
	return name
}
