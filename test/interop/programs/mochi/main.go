// mochi for test/interop: one user who may do everything but publish to the topics that are named, everything in memory.
// Usage: mochi PORT USER PASSWORD [FORBIDDEN_TOPIC ...]. Ends in order at SIGTERM.
package main

import (
	"bytes"
	"log"
	"os"
	"os/signal"
	"slices"
	"syscall"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

type rights struct {
	mqtt.HookBase
	user, password string
	forbidden      []string
}

func (r *rights) ID() string { return "rights" }

func (r *rights) Provides(kind byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck}, []byte{kind})
}

func (r *rights) OnConnectAuthenticate(_ *mqtt.Client, packet packets.Packet) bool {
	return string(packet.Connect.Username) == r.user && string(packet.Connect.Password) == r.password
}

func (r *rights) OnACLCheck(_ *mqtt.Client, topic string, isWrite bool) bool {
	return !isWrite || !slices.Contains(r.forbidden, topic)
}

func main() {
	port, user, password := os.Args[1], os.Args[2], os.Args[3]
	server := mqtt.New(nil)
	if err := server.AddHook(&rights{user: user, password: password, forbidden: os.Args[4:]}, nil); err != nil {
		log.Fatal(err)
	}
	listener := listeners.NewTCP(listeners.Config{ID: "tcp", Address: "127.0.0.1:" + port})
	if err := server.AddListener(listener); err != nil {
		log.Fatal(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	if err := server.Serve(); err != nil {
		log.Fatal(err)
	}
	os.Stdout.WriteString("ready\n")
	<-end
	_ = server.Close()
}
