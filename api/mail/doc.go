// Package mail writes the few letters of Reprise and hands them to an SMTP
// server: the invitation to hand in a film and its reminder, "we have it", "a
// film came in", what is wrong with a film, and that it is ready. Each is plain
// text and simple HTML, in the language of who reads it.
//
// A [Message] is a row before it is sent, so that a kill between deciding and
// sending loses nothing: callers put it into the [Store] and enqueue a job, and
// the job calls [Mailer.Deliver]. The Message-ID follows from the row's id: a
// letter that goes out twice, because the server's answer was lost, is
// recognised as one by whoever receives it.
//
// It is no mailing list and reads no mail. It decides nothing: who is written
// to, and when, is decided by api and cmd. It owns go-mail; nothing else imports it.
package mail
