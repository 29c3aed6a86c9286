package queue

// dialect holds the statements on river's table that each engine spells in its own way.
type dialect struct {
	// columns of a job as scanJob reads them: its number, kind, id, state,
	// attempt, priority and due instant; when it was created, begun, will be
	// tried again and was finished; the process of the last attempt; the errors
	// as JSON. Instants are microseconds since 1970, or NULL.
	columns string
	byArgs  string // condition: kind $1, id $2
	rank    string // what available jobs of equal priority are ordered by

	retry      string // $1: number of a job that waits for its next attempt, which becomes available
	prioritize string // $1: number of a job that waits, $2: priority, $3: due, $4: rank
	reorder    string // gives jobs that are available again after a failure their rank back

	// For running jobs whose process is not in the node table. The last name in
	// river's attempted_by is the process that has, or had, the job. Freeing a job
	// raises its limit of attempts by the one that it lost without fault, up to
	// the limit of deaths; then it is given up.
	// $1: instant as text, $2: reason, $3: limit of deaths.
	freeJobs, giveUpJobs string
}

// order is the order of [Queue.Jobs] in a dialect: running, available, waiting, finished.
func (d *dialect) order() string {
	return `CASE state WHEN 'running' THEN 0 WHEN 'available' THEN 1 WHEN 'retryable' THEN 2 WHEN 'scheduled' THEN 2 WHEN 'pending' THEN 2 ELSE 3 END,
		finalized_at DESC, CASE WHEN state IN ('retryable', 'scheduled', 'pending') THEN scheduled_at END, priority, ` + d.rank + `, id`
}
