"""`ves mcp` as the tests of its tools use it."""
import json
import os
import re
import subprocess
import sys

from mcp_pipe import Pipe, modern


class Report:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, what, holds, got=None):
        self.count += 1
        print(("ok" if holds else "not ok"), self.count, "-", what)
        if not holds:
            self.failed += 1
            print("#   got:", json.dumps(got)[:1200])

    def end(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


def append(ves, db, type, id, payload):
    return subprocess.run([ves, "append", "--db", db, type, id, "--payload", json.dumps(payload)], capture_output=True,
                          text=True, check=True).stdout.strip()


def shape(text, code):
    """An error: what happened, what did not, what next."""
    return isinstance(text, str) and re.match(rf"^{code}: [^\n]*[^.?\n][.?]\n[A-Z0-9][^\n]*\.\nNext: [^\n]+$", text) is not None \
        and "nothing was changed" not in text.split("\n")[0] and "`" not in text  # said once, and no commands for a shell


class Server:
    """Results are checked against their schemas by the server itself (--check-output), and here for being the same in
    both channels; lengths keeps how long they were."""
    lengths = []

    def __init__(self, ves, db, *flags, env=None):
        self.pipe = Pipe([ves, "mcp", "--db", db, "--check-output", *flags], env=dict(os.environ, **env) if env else None)
        self.id = 0

    def ask(self, method, capabilities=None, **params):
        self.id += 1
        return self.pipe.ask(modern(self.id, method, capabilities, **params), 30)

    def call(self, tool, **arguments):
        """structuredContent; of an error its text."""
        r = self.ask("tools/call", name=tool, arguments=arguments)["result"]
        if r.get("isError"):
            assert "structuredContent" not in r, r
            return r["content"][0]["text"]
        assert json.loads(r["content"][0]["text"]) == r["structuredContent"], r
        self.lengths.append((tool, len(r["content"][0]["text"])))
        return r["structuredContent"]

    def close(self):
        return self.pipe.close()
