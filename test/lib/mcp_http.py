"""mcp_http.py VES STORE -- what strangers on this machine, and web pages, may do to `ves mcp --http`; one TAP line a
rule.  The store is joined.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from mcp_pipe import META, MODERN, initialize, meta, modern, request
from mcp_server import Report, append

ves, store = sys.argv[1:3]
report = Report()
ok = report.ok
folder = tempfile.mkdtemp(dir=os.path.dirname(store))


ENOUGH = 30  # seconds: somebody silent keeps a place for 60, and a busy machine takes its time


class Http:
    def __init__(self, *flags):
        self.port_file = os.path.join(folder, "port")
        if os.path.exists(self.port_file):
            os.unlink(self.port_file)
        self.process = subprocess.Popen([ves, "mcp", "--db", store, "--http", "127.0.0.1:0", "--port-file", self.port_file, *flags],
                                        stderr=subprocess.PIPE)
        end = time.monotonic() + 60
        while not os.path.exists(self.port_file) and time.monotonic() < end:
            time.sleep(0.02)
        self.port = int(open(self.port_file).read().rsplit(":", 1)[1])

    def connect(self, data=b""):
        s = socket.create_connection(("127.0.0.1", self.port), 60)
        if data:
            s.sendall(data)
        return s

    def raw(self, data, timeout=60):
        """The answer to bytes: status, headers (lower case), body."""
        with self.connect(data) as s:
            s.settimeout(timeout)
            return read_answer(s)

    def post(self, message, headers=None, path="/mcp", host=None, method="POST"):
        return self.raw(self.request(message, headers, path, host, method))

    def request(self, message, headers=None, path="/mcp", host=None, method="POST"):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        h = {"Host": host or f"127.0.0.1:{self.port}", "Content-Type": "application/json",
             "Accept": "application/json, text/event-stream", "Content-Length": str(len(body))}
        if isinstance(message, dict) and META + "protocolVersion" in message.get("params", {}).get("_meta", {}):
            h.update({"MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"]})
            name = message["params"].get("name") or message["params"].get("uri")
            if name:
                h["Mcp-Name"] = name
        h.update(headers or {})
        lines = [f"{method} {path} HTTP/1.1"] + [f"{k}: {v}" for k, v in h.items() if v is not None]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = None
        return code, self.process.stderr.read().decode(errors="replace")


def read_head(s):
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        if not more:
            return None, {}, data
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), {k.lower(): v for k, v in (x.split(": ", 1) for x in lines[1:])}, rest


def read_answer(s):
    try:
        status, headers, rest = read_head(s)
        while status and "content-length" in headers and len(rest) < int(headers["content-length"]):
            more = s.recv(65536)
            if not more:
                break
            rest += more
    except (ConnectionResetError, BrokenPipeError):
        return None, {}, b""
    return status, headers, rest


STATUS = modern(1, "tools/call", name="get_sync_status", arguments={"probe": False})


def pages():
    """A web page of somebody else's, in a browser on this machine."""
    h = Http()
    for what, host in [("a name that was made to point here", "evil.example"), ("one that ends like ours", "evil-localhost"),
                       ("one that begins like ours", "localhost.evil.example"), ("an address and more", "127.0.0.1.evil.example"),
                       ("a user before it", "127.0.0.1@evil.example"), ("a port that is none", "127.0.0.1:80@evil"),
                       ("another address of this machine", "127.0.0.2"), ("every address", "0.0.0.0")]:
        ok(f"Host is {what}: 403", h.post(STATUS, host=host)[0] == 403)
    ok("no Host at all: refused", h.post(STATUS, {"Host": None})[0] in (400, 403))
    for origin in ("null", "http://evil.example", "http://localhost.evil.example", "http://127.0.0.1@evil.example", "file://",
                   "https://127.0.0.1.evil.example:443", "chrome-extension://abc", ""):
        ok(f"Origin {origin!r}: 403", h.post(STATUS, {"Origin": origin})[0] == 403)
    for origin in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8080"):
        ok(f"Origin {origin}: served", h.post(STATUS, {"Origin": origin})[0] == 200)
    status, headers, _ = h.post(b"", {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST",
                                      "Access-Control-Request-Headers": "content-type"}, method="OPTIONS")
    ok("a preflight is not granted", status in (403, 405) and not any(k.startswith("access-control") for k in headers), [status, headers])
    status, headers, _ = h.post(b"", {"Origin": "http://localhost:1", "Access-Control-Request-Method": "POST"}, method="OPTIONS")
    ok("nor to a page on loopback", status == 405 and not any(k.startswith("access-control") for k in headers), [status, headers])
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", None):
        ok(f"what a form can send without asking ({kind}): 415", h.post(STATUS, {"Content-Type": kind})[0] == 415)
    ok("there is nothing else", h.post(STATUS, path="/")[0] == 404 and h.post(STATUS, path="/mcp/../mcp")[0] == 404)
    status, headers, body = h.post(STATUS)
    ok("an answer is not kept, and is not taken for something else",
       status == 200 and headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff", headers)
    ok("ends when asked", h.end()[0] == 0)


def allowed():
    h = Http("--allow-origin", "https://shop.example,http://other.example:8080")
    for origin, status in (("https://shop.example", 200), ("http://other.example:8080", 200), ("https://shop.example:444", 403),
                           ("http://shop.example", 403), ("https://shop.example,http://other.example:8080", 403), ("https://shop", 403)):
        ok(f"--allow-origin: {origin}: {status}", h.post(STATUS, {"Origin": origin})[0] == status)
    h.end()


def tokens():
    token = "a secret of some length"
    path = os.path.join(folder, "token")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write(token + "\n")
    h = Http("--token-file", path)
    for what, value in [("none", None), ("another", "Bearer another"), ("its beginning", "Bearer a secret"),
                        ("more than it", f"Bearer {token}x"), ("a blank behind it", f"Bearer {token} x"), ("another scheme", f"Basic {token}"),
                        ("in the query only", None)]:
        status, headers, body = h.post(STATUS, {"Authorization": value}, path="/mcp?token=" + token.replace(" ", "%20") if "query" in what else "/mcp")
        ok(f"token: {what}: 401, and how to", status == 401 and headers["www-authenticate"].startswith("Bearer") and token.encode() not in body,
           [status, headers, str(body)])
    ok("token: the right one", h.post(STATUS, {"Authorization": f"Bearer {token}"})[0] == 200)
    code, said = h.end()
    ok("token: not in the log", token not in said, said)


def stuck():
    """Connections that send nothing, half a request, or never read."""
    h = Http()
    idle = [h.connect() for _ in range(140)]
    start = time.monotonic()
    status = h.post(STATUS)[0]
    ok("140 connections that say nothing: others are answered at once", status == 200 and time.monotonic() - start < ENOUGH,
       [status, time.monotonic() - start])
    half = [h.connect(f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{h.port}\r\nX-".encode()) for _ in range(140)]
    body = h.request(STATUS)[:-30]
    half += [h.connect(body) for _ in range(140)]
    start = time.monotonic()
    answers = [h.post(modern(i, "tools/list"))[0] for i in range(20)]
    ok("nor do 280 half requests keep anybody from being served", answers == [200] * 20 and time.monotonic() - start < ENOUGH,
       [answers, time.monotonic() - start])
    for s in idle + half:
        s.close()
    listen = h.request(modern("l", "subscriptions/listen", notifications={"resourceSubscriptions": ["ves://status"]}))
    streams = [h.connect(listen) for _ in range(60)]
    status = []
    for s in streams:
        s.settimeout(60)
        status.append(read_head(s)[0])
    ok("streams: as many as there are places for, the others are told to come again",
       status.count(200) == 48 and status.count(503) == 12, [status.count(200), status.count(503)])
    ok("and others are answered all the same", h.post(STATUS)[0] == 200)
    for s in streams:
        s.close()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        s = h.connect(listen)
        s.settimeout(60)
        status = read_head(s)[0]
        s.close()
        if status == 200:
            break
        time.sleep(0.1)
    ok("a stream that is closed gives its place back", status == 200, status)
    ok("and the server still ends when asked", h.end()[0] == 0)


def bodies():
    h = Http("--max-message-bytes", "100000")
    ok("a body that says it is too long: 413", h.post(b"x" * 200000)[0] == 413)
    chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    head = h.request(b"", {"Content-Length": None, "Transfer-Encoding": "chunked"})
    ok("one that only turns out to be: 413", h.raw(head + chunk * 20 + b"0\r\n\r\n")[0] == 413)
    good = json.dumps(STATUS).encode()
    head = h.request(STATUS, {"Content-Length": None, "Transfer-Encoding": "chunked"})[:-len(good)]
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(good[i:i + 7]), good[i:i + 7]) for i in range(0, len(good), 7))
    ok("a body in pieces is read", h.raw(head + pieces + b"0\r\n\r\n")[0] == 200)
    for what, data in [("two lengths", h.request(STATUS, {"content-length": "3"})), ("a length that is none", h.request(STATUS, {"Content-Length": "-1"})),
                       ("a length over everything", h.request(STATUS, {"Content-Length": "99999999999999999999"})),
                       ("headers without an end", f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {'y' * 100000}\r\n\r\n".encode()),
                       ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n")]:
        try:
            status = h.raw(data, 3)[0]
        except (socket.timeout, ConnectionError):
            status = None
        ok(f"{what}: not served", status is None or status >= 400, status)
    hidden = h.request(modern("hidden", "tools/list"))
    for what, more in [("two lengths", b"content-length: 3"), ("a blank before a colon", b"Transfer-Encoding : chunked"),
                       ("a tab before a colon", b"Content-Length\t: 60"), ("two hosts", b"Host: localhost:%d" % h.port),
                       ("two origins", b"Origin: http://localhost\r\nOrigin: http://127.0.0.1"), ("two tokens", b"Authorization: Bearer a\r\nAuthorization: Bearer b"),
                       ("a length and an encoding", b"Transfer-Encoding: chunked"), ("another encoding", b"Transfer-Encoding: gzip, chunked"),
                       ("two sessions", b"Mcp-Session-Id: a\r\nMcp-Session-Id: b")]:
        data = h.request(STATUS).replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n\r\n", 1)
        s = h.connect(data + hidden)
        s.settimeout(20)
        said = b""
        try:
            while piece := s.recv(65536):
                said += piece
        except (socket.timeout, ConnectionError):
            pass
        s.close()
        ok(f"{what}: 400, and what follows is no request", said.startswith(b"HTTP/1.1 400") and said.count(b"HTTP/1.1 ") == 1, said[:300])
    ok("after all that it serves", h.post(STATUS)[0] == 200)
    ok("bodies: ends when asked", h.end()[0] == 0)


def sessions():
    h = Http()
    status, headers, _ = h.post(initialize(capabilities={"elicitation": {}}))
    mine = headers["mcp-session-id"]
    ok("a session has a name nobody guesses", len(mine) == 32)
    ok("no session: 400", h.post(request(1, "tools/list"))[0] == 400)
    ok("somebody else's guess: 404", h.post(request(1, "tools/list"), {"Mcp-Session-Id": "0" * 32})[0] == 404)
    many = [h.post(initialize())[1]["mcp-session-id"] for _ in range(300)]
    ok("300 handshakes push the oldest session out, no more", h.post(request(1, "ping"), {"Mcp-Session-Id": many[-1]})[0] == 200
       and h.post(request(1, "ping"), {"Mcp-Session-Id": mine})[0] == 404)
    ok("sessions: ends when asked", h.end()[0] == 0)


for part in (pages, allowed, tokens, stuck, bodies, sessions):
    began = time.monotonic()
    try:
        part()
        print("#", part.__name__, round(time.monotonic() - began, 2))
    except Exception as e:
        traceback.print_exc(file=sys.stdout)
        ok(f"{part.__name__} ran to its end", False, repr(e))
report.end()
