"""The service manager's end of sd_notify(3): prints each message it gets as one line of JSON. Node has no datagram sockets of AF_UNIX."""
import json
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind(sys.argv[1])
    print(json.dumps("bound"), flush=True)
    while True:
        print(json.dumps(manager.recv(65536).decode()), flush=True)
