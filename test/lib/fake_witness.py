"""fake_witness.py PORT_FILE ASKED_FILE -- something at witnesses' addresses that
is none: answers add-checkpoint as the first part of the path says, which is
added to ASKED_FILE."""
import http.server
import sys
import threading
import time

port_file, asked_file = sys.argv[1:3]
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mode = self.path.split("/")[1]
        with lock:
            open(asked_file, "a").write(self.path + "\n")
        if mode == "garbage":
            self.answer(200, b"this is no line\n")
        elif mode == "echo":  # the log's own line instead of a witness's
            self.answer(200, body[body.rindex(b"\n\n") + 2:])
        elif mode == "larger":
            self.answer(409, b"99999999\n", [("Content-Type", "text/x.tlog.size")])
        elif mode == "nonsense":
            self.answer(409, b"-1\n", [("Content-Type", "text/x.tlog.size")])
        elif mode == "fork":
            self.answer(422, b"no\n")
        elif mode == "elsewhere":
            self.answer(302, b"", [("Location", "http://127.0.0.1:9/")])
        elif mode == "flood":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(4096):
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass
            self.close_connection = True
        elif mode == "silent":
            time.sleep(30)
            self.close_connection = True
        else:
            self.answer(503)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
open(port_file, "w").write("127.0.0.1:%d\n" % server.server_address[1])
server.serve_forever()
