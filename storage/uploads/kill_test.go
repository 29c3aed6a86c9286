package uploads

const childVar = "REPRISE_UPLOADS_CHILD"

func child() error { return nil }
