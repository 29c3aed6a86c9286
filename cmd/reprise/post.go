package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reprise/api"
	"reprise/api/mail"
	"reprise/event"
	"reprise/storage/queue"
	"reprise/vod"
)

// post writes letters to speakers and organizers, and sends them. Without a
// mail server it writes none.
type post struct {
	house  *house
	queue  *queue.Queue
	mailer *mail.Mailer // nil: no mail is sent
}

func newPost(h *house, q *queue.Queue) (*post, error) {
	p := &post{house: h, queue: q}
	c := h.cfg.Mail
	if c.Server == "" {
		return p, nil
	}
	var err error
	p.mailer, err = mail.New(mail.Config{Server: c.Server, TLS: c.TLS, Username: c.Username, Password: c.Password, From: c.From}, h.log, h.clock.Now)
	return p, err
}

// send does a mail job.
func (p *post) send(ctx context.Context, id string) error {
	if p.mailer == nil {
		return errors.New("mail.server is not set on this machine")
	}
	return p.mailer.Deliver(ctx, p.house.rows, mail.ID(id))
}

// write keeps a letter and writes its job down. The same letter (by its id) is written once.
func (p *post) write(ctx context.Context, l mail.Letter) error {
	m, err := mail.Write(l, p.house.clock.Now())
	if err != nil {
		return err
	}
	if err := p.house.rows.PutMail(ctx, m); err != nil && !errors.Is(err, mail.ErrConflict) {
		return err
	}
	return p.queue.Enqueue(ctx, api.JobMail, string(m.ID), queue.Options{Priority: queue.Normal})
}

// mend writes down the jobs of letters that wait and that no job sends: a kill
// came between the two, or the mail server was away for longer than a job is tried.
// The mailer itself gives a letter up that has waited for too long.
func (p *post) mend(ctx context.Context) error {
	if p.mailer == nil {
		return nil
	}
	letters, err := p.house.rows.Mails(ctx, "")
	if err != nil {
		return err
	}
	for i := range letters {
		m := &letters[i]
		if m.State != mail.Waiting {
			continue
		}
		status, err := p.queue.State(ctx, api.JobMail, string(m.ID))
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			return err
		}
		if err == nil && status.Finished.IsZero() {
			continue
		}
		if err := p.queue.Enqueue(ctx, api.JobMail, string(m.ID), queue.Options{Priority: queue.Normal}); err != nil {
			return err
		}
	}
	return nil
}

// inviter returns what sends invitations; nil: there is no mail server.
func (p *post) inviter() func(context.Context, api.Invitation) error {
	if p.mailer == nil {
		return nil
	}
	return func(ctx context.Context, i api.Invitation) error {
		l, err := letter(mail.Invitation, &i.HandIn, &i.Event, &i.Talk)
		if err != nil {
			return err
		}
		if !i.HandIn.Invited.IsZero() && !i.HandedIn {
			l.Kind = mail.Reminder // it says that nothing has come yet
		}
		l.To, l.ReplyTo, l.Link, l.Note = i.HandIn.Email, i.HandIn.Organizer, i.Link, i.HandIn.Message
		return p.write(ctx, l)
	}
}

// letter begins a letter about a hand-in.
func letter(kind mail.Kind, h *event.HandIn, e *event.Event, t *event.Talk) (mail.Letter, error) {
	zone, err := time.LoadLocation(e.Zone)
	if err != nil {
		return mail.Letter{}, fmt.Errorf("zone of event %s: %w", e.ID, err)
	}
	return mail.Letter{
		Kind: kind, Event: string(e.ID), HandIn: string(h.ID), Language: string(h.Language), Name: h.Name,
		Conference: e.Title.In(h.Language), Talk: t.Title.In(h.Language), Deadline: h.Deadline, Lock: h.Until(true), Zone: zone,
	}, nil
}

// received tells both sides that a film came in by a hand-in link.
func (p *post) received(ctx context.Context, u *vod.Upload, asset *vod.Asset) error {
	return p.about(ctx, u, func(h *event.HandIn, e *event.Event, t *event.Talk) error {
		return errors.Join(
			p.speaker(ctx, mail.Received, h, e, t, u, nil),
			p.organizer(ctx, h, e, t, u, asset),
		)
	})
}

// judged tells who handed a film in that it is ready, or what is wrong with it.
func (p *post) judged(ctx context.Context, asset *vod.Asset) error {
	if p.mailer == nil || asset.State != vod.Ready && asset.State != vod.Failed {
		return nil
	}
	rows, err := p.house.rows.Uploads(ctx, "")
	if err != nil {
		return err
	}
	var last *vod.Upload // of the film that was judged
	for i := range rows {
		if rows[i].State == vod.UploadTaken && rows[i].Asset == asset.ID && rows[i].HandIn != "" {
			last = &rows[i]
		}
	}
	if last == nil || last.SHA256 != asset.Source.SHA256 {
		return nil
	}
	return p.about(ctx, last, func(h *event.HandIn, e *event.Event, t *event.Talk) error {
		if asset.State == vod.Ready {
			return p.speaker(ctx, mail.Ready, h, e, t, last, asset.Findings)
		}
		return p.speaker(ctx, mail.Refused, h, e, t, last, asset.Findings)
	})
}

// about calls f with the hand-in that an upload came by, if it did and there is a mail server.
func (p *post) about(ctx context.Context, u *vod.Upload, f func(*event.HandIn, *event.Event, *event.Talk) error) error {
	if p.mailer == nil || u.HandIn == "" {
		return nil
	}
	h, err := p.house.rows.HandIn(ctx, event.HandInID(u.HandIn))
	if err != nil {
		return err
	}
	e, err := p.house.rows.Event(ctx, h.Event)
	if err != nil {
		return err
	}
	for i := range e.Talks {
		if e.Talks[i].ID == h.Talk {
			return f(&h, &e, &e.Talks[i])
		}
	}
	return nil // the talk is off the programme: there is nothing to say about it
}

// speaker writes to who handed the film in.
func (p *post) speaker(ctx context.Context, kind mail.Kind, h *event.HandIn, e *event.Event, t *event.Talk, u *vod.Upload, findings []vod.Finding) error {
	if h.Email == "" || !h.Revoked.IsZero() {
		return nil
	}
	l, err := letter(kind, h, e, t)
	if err != nil {
		return err
	}
	if l.Link, err = api.HandInLink(p.house.keys, p.base(), h); err != nil {
		return err
	}
	l.ID, l.To, l.ReplyTo, l.File, l.Size = mail.IDFor(kind, string(u.ID)), h.Email, h.Organizer, u.Name, u.Size
	for _, f := range findings {
		if h.Language == "fr" {
			l.Findings = append(l.Findings, f.FR)
		} else {
			l.Findings = append(l.Findings, f.EN)
		}
	}
	return p.write(ctx, l)
}

// organizer writes to who wants to hear of films that come in.
func (p *post) organizer(ctx context.Context, h *event.HandIn, e *event.Event, t *event.Talk, u *vod.Upload, asset *vod.Asset) error {
	if h.Organizer == "" {
		return nil
	}
	l, err := letter(mail.CameIn, h, e, t)
	if err != nil {
		return err
	}
	language := e.Languages[0]
	l.ID, l.To, l.ReplyTo, l.File, l.Size = mail.IDFor(mail.CameIn, string(u.ID)), h.Organizer, h.Email, u.Name, u.Size
	l.Language, l.Name, l.Speaker = string(language), "", h.Name
	l.Conference, l.Talk = e.Title.In(language), t.Title.In(language)
	// No key in it: letters are forwarded, and a desk opens with a link of its own.
	l.Link = fmt.Sprintf("%s/%s/desk/recordings/%s", p.base(), language, asset.ID)
	return p.write(ctx, l)
}

// base is what links in letters begin with.
func (p *post) base() string { return baseURL(p.house.cfg, p.house.cfg.HTTP.Listen) }
