package uploads

import (
	"context"
	"log/slog"
	"slices"

	exp "golang.org/x/exp/slog"
)

// bridge gives tusd, which logs by an older slog of x/exp, our logger. What it
// tells of each request is only of use when looking for a fault: Info becomes Debug.
type bridge struct {
	handler slog.Handler
}

func newTusLogger(log *slog.Logger) *exp.Logger {
	return exp.New(bridge{log.Handler()})
}

// bridgeLevel keeps tusd's warnings. What it calls an error is a refusal, or a
// client that went away; what is really wrong here is logged where it is answered.
func bridgeLevel(l exp.Level) slog.Level {
	if l == exp.LevelWarn {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Enabled implements slog.Handler of x/exp.
func (b bridge) Enabled(ctx context.Context, l exp.Level) bool {
	return b.handler.Enabled(ctx, bridgeLevel(l))
}

// Handle implements slog.Handler of x/exp.
func (b bridge) Handle(ctx context.Context, r exp.Record) error {
	out := slog.NewRecord(r.Time, bridgeLevel(r.Level), "tus: "+r.Message, r.PC)
	r.Attrs(func(a exp.Attr) bool {
		out.AddAttrs(bridgeAttrs([]exp.Attr{a})...)
		return true
	})
	return b.handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler of x/exp.
func (b bridge) WithAttrs(attrs []exp.Attr) exp.Handler {
	return bridge{b.handler.WithAttrs(bridgeAttrs(attrs))}
}

// WithGroup implements slog.Handler of x/exp.
func (b bridge) WithGroup(name string) exp.Handler {
	return bridge{b.handler.WithGroup(name)}
}

// unlogged are attributes that say nothing, or what must not be written down.
var unlogged = []string{"path", "url", "body", "requestId"}

func bridgeAttrs(attrs []exp.Attr) []slog.Attr {
	out := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if slices.Contains(unlogged, a.Key) {
			continue
		}
		key := a.Key
		if key == "id" {
			key = "upload_id"
		}
		out = append(out, slog.Any(key, a.Value.Any()))
	}
	return out
}
