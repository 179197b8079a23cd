"""A server of the Model Context Protocol on a pipe, for tests."""
import json
import os
import select
import subprocess
import time

META = "io.modelcontextprotocol/"
MODERN = "2026-07-28"


def meta(capabilities=None, version=MODERN, **more):
    m = {META + "protocolVersion": version, META + "clientCapabilities": capabilities or {}}
    m.update(more)
    return m


def request(id, method, **params):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def modern(id, method, capabilities=None, **params):
    return request(id, method, **params, _meta=meta(capabilities))


def initialize(id=0, version="2025-11-25", capabilities=None):
    return request(id, "initialize", protocolVersion=version, capabilities=capabilities or {},
                   clientInfo={"name": "test", "version": "1"})


class Pipe:
    """One process; lines are bytes, messages are dicts."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env)
        self.buffer = b""
        self.lines = []
        self.next_id = 1000

    def send(self, *messages):
        data = b""
        for m in messages:
            if isinstance(m, str):
                m = m.encode()
            data += m if isinstance(m, bytes) else json.dumps(m, separators=(",", ":")).encode()
            data += b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def receive(self, timeout=60.0):
        """The next line as bytes, or None."""
        end = time.monotonic() + timeout
        fd = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                return None
            data = os.read(fd, 1 << 20)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.lines.append(line)
        return line

    def answer(self, timeout=60.0):
        line = self.receive(timeout)
        return None if line is None else json.loads(line)

    def ask(self, message, timeout=60.0):
        """Sends a request; its answer, whatever else comes before it."""
        self.send(message)
        while True:
            a = self.answer(timeout)
            if a is None or ("method" not in a and a.get("id") == message["id"]):
                return a

    def cost(self):
        """Processor time the process has taken, in seconds: how busy the machine is makes no difference to it."""
        with open(f"/proc/{self.process.pid}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def peak(self):
        """Most memory the process has had, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))

    def is_silent(self, seconds=0.3):
        return self.receive(seconds) is None

    def close(self, timeout=60.0):
        """Ends input; (exit code or None, what came until the end, standard error)."""
        rest = []
        self.process.stdin.close()
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            line = self.receive(end - time.monotonic())
            if line is None:
                break
            rest.append(json.loads(line))
        try:
            code = self.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = None
        error = self.process.stderr.read().decode(errors="replace")
        self.process.stdout.close()
        self.process.stderr.close()
        return code, rest, error
