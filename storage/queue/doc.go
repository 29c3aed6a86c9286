// Package queue runs durable jobs: work that is written down before it is done
// and survives the death of the process that does it. A job is a kind and an
// id, nothing more: what there is to do, and how far it is, stands in the rows
// that the id names, so that a job can be run again at any time.
//
// It owns river, which keeps the jobs in the same database, SQLite or
// PostgreSQL, and adds what river lacks: a job of a process that was killed is
// taken up at once (node.go), and what is due first is done first (turn.go). It
// knows nothing of media; cmd binds kinds to the packages that do the work.
package queue
