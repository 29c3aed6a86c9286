// Package configs is everything an operator can set: the Config struct, its
// defaults, and Load, which lays the configuration file, the environment and
// the command line over them. reprise.yaml beside it names every key and is
// the manual.
//
// It is not how a part behaves: each package has a small Config of its own,
// which cmd/reprise fills from here. Only cmd/reprise imports this package.
package configs
