package main

import (
	"net"
	"sync"
)

// limitListener accepts so many connections at a time; further ones wait in
// the kernel's queue, which is bounded too, until one closes.
type limitListener struct {
	net.Listener
	slots chan struct{}
	ended chan struct{}
	once  sync.Once
}

func limitConnections(l net.Listener, limit int) net.Listener {
	return &limitListener{Listener: l, slots: make(chan struct{}, limit), ended: make(chan struct{})}
}

// Accept waits for a slot, then for a connection.
func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.ended:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return &limitedConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
	}
	return &limitedTCP{TCPConn: tcp, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close lets a waiting Accept end.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

// limitedTCP embeds *net.TCPConn, so that ReadFrom, and with it sendfile, stays in reach.
type limitedTCP struct {
	*net.TCPConn
	free func()
}

func (c *limitedTCP) Close() error {
	defer c.free()
	return c.TCPConn.Close()
}

type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
