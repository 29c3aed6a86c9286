package main

type (
	serveCommand      struct{}
	demoCommand       struct{}
	importCommand     struct{}
	scheduleCommand   struct{}
	tokenCommand      struct{}
	verifyCommand     struct{}
	doctorCommand     struct{}
	configCommand     struct{}
	openAPICommand    struct{}
	completionCommand struct{}
	versionCommand    struct{}
)
