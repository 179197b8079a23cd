"""proxy_pg.py FOLDER PID -- stands between a client and the PostgreSQL server
whose socket is in FOLDER.

Passes everything on, both ways; but when a client has sent the text "lose my
answer" and then COMMIT, the server's answer to that is read and dropped, and
so is the connection.  Prints the URL to connect to; ends with process PID, or
when nobody reads what it prints.
"""
import os
import shutil
import socket
import sys
import tempfile
import threading
import time

folder, parent = sys.argv[1], int(sys.argv[2])
server_path = os.path.join(folder, ".s.PGSQL.5432")
own = tempfile.mkdtemp(prefix="ves-proxy.")
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.path.join(own, ".s.PGSQL.5432"))
listener.listen()
kept = []  # a server that loses its client gives up what it is doing


def serve(client):
    server = socket.socket(socket.AF_UNIX)
    server.connect(server_path)
    kept.append(server)
    state = {"lose": False, "is_marked": False, "answer": b""}

    def back():
        while True:
            data = server.recv(65536)
            if not data:
                break
            if state["lose"]:
                state["answer"] += data
                if b"COMMIT\0" in state["answer"]:
                    client.shutdown(socket.SHUT_RDWR)
                    break
                continue
            client.sendall(data)
        client.close()

    threading.Thread(target=back, daemon=True).start()
    while True:
        data = client.recv(65536)
        if not data:
            break
        state["is_marked"] |= b"lose my answer" in data
        if state["is_marked"] and b"COMMIT\0" in data:
            state["lose"] = True
        server.sendall(data)
    if not state["lose"]:
        server.close()


def watch():
    while os.path.exists("/proc/%d" % parent) and os.path.isdir(folder):
        time.sleep(0.1)
    shutil.rmtree(own, ignore_errors=True)
    os._exit(0)


threading.Thread(target=watch, daemon=True).start()
print("postgres://ves@/postgres?host=" + own, flush=True)
sys.stdout = open(os.devnull, "w")
os.close(1)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
