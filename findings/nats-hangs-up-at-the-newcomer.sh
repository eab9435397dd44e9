#!/bin/sh
# nats-server 2.9.10 (Debian 12): of two MQTT clients with one id it is the newcomer that is hung up at, when it comes within a second of the
# last take-over: a second after its CONNECT, and without a CONNACK.
#
# MQTT 3.1.1 (3.1.4) has the server end the old connection. NATS does so, but remembers for a second that it did; who comes with that id in the
# meantime is held and then closed, so that two clients do not chase each other at full speed. To the newcomer it looks like a broker that is in trouble
# or that does not know its version of MQTT; a client that counts take-overs to find a second machine with its id misses these.
# What helps: wait for more than a second before connecting again after a connection that was closed without a word.
#
# Needs root (a network namespace of its own), apt-get and python3. It unpacks the package into a temporary folder.
# Exit status: 0 the behaviour is as described, 1 it is another one, 2 the package or a tool is missing.
set -eu
package=nats-server version=2.9.10-1+b3

if [ "${1-}" != inside ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (cd "$folder" && apt-get download --quiet=2 -o APT::Sandbox::User=root "$package=$version" && dpkg -x ./*.deb root) || exit 2
  command -v python3 >/dev/null || exit 2
  unshare --net sh "$0" inside "$folder"
  exit
fi

folder=$2
ip link set lo up
cat >"$folder/nats.conf" <<END
server_name: finding
listen: 127.0.0.1:4222
jetstream { store_dir: $folder/store }
mqtt { listen: 127.0.0.1:1883 }
END
"$folder"/root/usr/sbin/nats-server -c "$folder/nats.conf" >"$folder/log" 2>&1 &
server=$!
trap 'kill $server' EXIT
python3 - <<'END'
import socket, sys, time

def client():
    for _ in range(100):
        try:
            connection = socket.create_connection(("127.0.0.1", 1883), 10)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    # CONNECT: MQTT 4, clean session, keepalive 60 s, the id "same".
    connection.sendall(bytes.fromhex("1010" "00044d515454" "04" "02" "003c") + b"\x00\x04same")
    return connection

def answer(connection):
    began = time.monotonic()
    try:
        return connection.recv(4).hex() or "closed", time.monotonic() - began
    except ConnectionResetError:
        return "closed", time.monotonic() - began

def told(name, outcome):
    print(f"{name}: {outcome[0]} after {outcome[1]:.2f} s", flush=True)
    return outcome

first = client()
ok = told("first client: CONNACK", answer(first))[0] == "20020000"
second = client()
ok &= told("second, which takes over: CONNACK", answer(second))[0] == "20020000"
ok &= told("the first one", answer(first))[0] == "closed"
third = client()
outcome = told("third, at once after it", answer(third))
ok &= outcome[0] == "closed" and outcome[1] > 0.8
second.sendall(bytes.fromhex("c000"))
ok &= told("the second one is asked by a PINGREQ", answer(second))[0] == "d000"
fourth = client()
ok &= told("fourth, after more than a second: CONNACK", answer(fourth))[0] == "20020000"
print("As described." if ok else "DIFFERENT")
sys.exit(0 if ok else 1)
END
