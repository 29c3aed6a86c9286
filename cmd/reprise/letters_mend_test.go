package main

import (
	"errors"
	"testing"

	"reprise/api"
	"reprise/api/mail"
	"reprise/storage/queue"
)

// A letter whose job was lost, by a kill or because the mail server was away for too long, gets another one.
func TestLettersWithoutAJobAreSent(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.Mail.Server, cfg.Mail.TLS, cfg.Mail.From = "127.0.0.1:1", "none", "desk@example.org"
	h, err := openHouse(t.Context(), cfg, silent(), ticking(noon()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	j, err := h.openJobs()
	if err != nil {
		t.Fatal(err)
	}
	letters := map[mail.State]mail.ID{}
	for _, state := range []mail.State{mail.Waiting, mail.Sent} {
		m, err := mail.Write(mail.Letter{Kind: mail.Received, Event: "test", To: "ann@example.org", Talk: "Opening", Link: "https://example.org/"}, noon())
		if err != nil {
			t.Fatal(err)
		}
		m.State = state
		if err := h.rows.PutMail(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		letters[state] = m.ID
	}
	for range 2 { // the second time there is nothing to do
		if err := j.post.mend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := j.queue.State(t.Context(), api.JobMail, string(letters[mail.Waiting])); err != nil || s.State != queue.Queued {
		t.Errorf("job of the waiting letter: %+v, %v", s, err)
	}
	if _, err := j.queue.State(t.Context(), api.JobMail, string(letters[mail.Sent])); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("job of the letter that was sent: %v", err)
	}
	if list, err := j.queue.Jobs(t.Context(), 10); err != nil || len(list) != 1 {
		t.Errorf("jobs: %+v, %v", list, err)
	}
}
