#!/bin/sh
# moquette 0.17: a will with the retain flag is sent to those who are subscribed, and not kept for those who subscribe later.
#
# MQTT 3.1.1 (3.1.2.7) has it published as a retained message. A client that keeps `online` and `offline` in one retained topic (most devices of a
# house do) stays `online` there after it has died, for everybody who comes later: a home automation that is restarted believes that it lives.
# An ordinary publish with retain on the same topic is kept, so that only the will is concerned.
# What helps: a time by which the value is given up where it is read, or another broker.
#
# Needs Maven, a Java development kit (17) and python3; on Debian: apt-get install maven default-jdk-headless. All of it stays in a temporary folder and on loopback.
# Exit status: 0 the behaviour is as described, 1 it is another one, 2 the package or a tool is missing.
set -eu
version=0.17
folder=$(mktemp -d)
broker=
trap 'test -z "$broker" || kill "$broker"; rm -rf "$folder"' EXIT
for tool in mvn java python3; do command -v "$tool" >/dev/null || exit 2; done

cat >"$folder/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>finding</groupId><artifactId>finding</artifactId><version>1</version><dependencies><dependency>
<groupId>io.moquette</groupId><artifactId>moquette-broker</artifactId><version>$version</version></dependency></dependencies></project>
END
mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder/jars" || exit 2
mkdir "$folder/data"
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$folder/Broker.java" <<END
import io.moquette.broker.Server;
import io.moquette.broker.config.MemoryConfig;
import java.util.Properties;

public class Broker {
  public static void main(String[] arguments) throws Exception {
    Properties settings = new Properties();
    settings.setProperty("host", "127.0.0.1");
    settings.setProperty("port", "$port");
    settings.setProperty("data_path", "$folder/data");
    settings.setProperty("telemetry_enabled", "false");
    new Server().startServer(new MemoryConfig(settings));
    Thread.currentThread().join();
  }
}
END
java -Xmx256m -cp "$folder/jars/*" "$folder/Broker.java" >"$folder/log" 2>&1 &
broker=$!

python3 - "$port" <<'END'
import socket, sys, time

def text(value):
    return len(value).to_bytes(2, "big") + value.encode()

class Client:
    def __init__(self, name, will=None):
        for _ in range(300):
            try:
                self.socket = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        # Clean session; with a will: QoS 1 and retain.
        flags, payload = (0x02, b"") if will is None else (0x02 | 0x04 | 0x08 | 0x20, text(will[0]) + text(will[1]))
        self.send(0x10, text("MQTT") + bytes([4, flags, 0, 60]) + text(name) + payload)
        self.read(0x20)

    def send(self, kind, body):
        self.socket.sendall(bytes([kind, len(body)]) + body)

    def read(self, kind):
        """The body of the next packet of this kind; None when there was none for three seconds. All are shorter than 128 bytes."""
        self.socket.settimeout(3)
        try:
            while True:
                head = self.socket.recv(2)
                body = self.socket.recv(head[1])
                if head[0] & 0xF0 == kind:
                    return body
        except TimeoutError:
            return None

    def publish(self, topic, value):
        self.send(0x33, text(topic) + b"\x00\x01" + value.encode())
        self.read(0x40)

    def subscribe(self, topic):
        self.send(0x82, b"\x00\x02" + text(topic) + b"\x00")

    def hear(self, topic):
        body = self.read(0x30)
        return None if body is None else body[2 + len(topic):].decode()

topic = "house/device/status"
present = Client("present")
present.subscribe(topic)
present.read(0x90)
device = Client("device", (topic, "offline"))
device.publish(topic, "online")
heard = [present.hear(topic)]
device.socket.close()
heard.append(present.hear(topic))
later = Client("later")
later.subscribe(topic)
given = later.hear(topic)
print(f"present all the time: {heard}; subscribed after the death: {given}")
other = Client("other")
other.publish(topic, "offline")
latest = Client("latest")
latest.subscribe(topic)
published = latest.hear(topic)
print(f"after an ordinary publish of offline with retain: {published}")
ok = heard[-1] == "offline" and given == "online" and published == "offline"
print("As described." if ok else "DIFFERENT")
sys.exit(0 if ok else 1)
END
