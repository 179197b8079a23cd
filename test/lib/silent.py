"""silent.py PORT_FILE SEEN_FILE

A server that takes every connection and every byte, and never answers.  Each
request's first line is added to SEEN_FILE, so that a test knows that somebody
waits.
"""
import socket
import sys
import threading

PORT_FILE, SEEN_FILE = sys.argv[1:3]


def swallow(connection):
    seen = False
    while True:
        data = connection.recv(65536)
        if not data:
            return
        if not seen:
            seen = True
            with open(SEEN_FILE, "ab") as f:
                f.write(data.split(b"\r\n")[0] + b"\n")


listener = socket.create_server(("127.0.0.1", 0))
with open(PORT_FILE, "w", encoding="ascii") as f:
    f.write("127.0.0.1:%d\n" % listener.getsockname()[1])
while True:
    threading.Thread(target=swallow, args=(listener.accept()[0],), daemon=True).start()
