"""decided.py PART VES STORE_A STORE_B STORE_C -- part "people": what three stores say of a conflict before and after it is decided, asked in every
way there is, and a queue that moves on under a person; "rivals": several deciding at once, and kill -9.  One TAP line a rule.
The stores are joined to one stream.
"""
import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
import traceback

from mcp_server import Report, Server, append

which, ves, *stores = sys.argv[1:6]
a, b, c = stores
report = Report()
ok = report.ok


def cli(*args, code=(0,)):
    r = subprocess.run([ves, *args], capture_output=True, text=True)
    assert r.returncode in code, (args, r.returncode, r.stdout, r.stderr)
    return r.stdout


def document(*args, code=(0,)):
    return json.loads(cli(*args, "--json", code=code))


def sync(rounds=2):
    for _ in range(rounds):
        for db in stores:
            cli("sync", "--db", db, code=(0, 3))


def quarrel(*ids):
    """Events in conflict, all of b's."""
    for id in ids:
        append(ves, a, "customer.created", id, {"name": "Ann", "email": "ann@x.org"})
    sync(1)
    for id in ids:
        append(ves, a, "customer.updated", id, {"email": "a@x.org"})
    out = [append(ves, b, "customer.updated", id, {"email": "b@x.org", "note": "b"}) for id in ids]
    sync()
    return out


def counted(db):
    """How many open conflicts each way of asking tells of; and how many rows of this store are in one."""
    status = document("status", "--db", db)
    s = Server(ves, db)
    r = s.call("get_sync_status", probe=False)
    listed = s.call("list_outbox_events", status="conflict")
    told = json.loads(s.ask("resources/read", uri="ves://status")["result"]["contents"][0]["text"])
    resource = json.loads(s.ask("resources/read", uri="ves://conflicts")["result"]["contents"][0]["text"])
    s.close()
    ways = [sum(status["conflictsByType"].values()), document("conflicts", "--db", db)["open"], len(document("conflicts", "--db", db)["conflicts"]),
            sum(r["conflictsByType"].values()), listed["total"], len(listed["events"]), sum(told["conflictsByType"].values()), resource["total"]]
    rows = {status["counts"]["conflict"], r["counts"]["conflict"], told["counts"]["conflict"], document("outbox", "--db", db, "--status", "conflict")["total"]}
    assert len(set(ways)) == 1 and len(rows) == 1, (ways, rows)
    return ways[0], rows.pop(), status["health"], r["health"]


def everywhere():
    event, = quarrel("E-1")
    before = [counted(db) for db in stores]
    ok("an open conflict: every store counts it, in every way it can be asked; only its author has a row in it",
       before == [(1, 0, "attention", "attention"), (1, 1, "attention", "attention"), (1, 0, "attention", "attention")], before)
    shown = [document("conflict", "show", event, "--db", db)["conflictId"] for db in stores]
    ok("under one id", len(set(shown)) == 1, shown)
    r = document("resolve", event, "--db", c, "--strategy", "merge", "--payload", '{"email":"c@x.org"}', "--reason", "asked", "--by", "cat")
    ok("a store that wrote neither side may decide", r["outcome"] == "resolved", r)
    sync()
    after = [counted(db) for db in stores]
    ok("decided and synced: no store counts it, however it is asked", after == [(0, 0, "healthy", "healthy")] * 3, after)
    states = [document("entity", "--db", db, "customer", "E-1")["state"] for db in stores]
    ok("all have what was decided", all(s == states[0] and s["email"] == "c@x.org" for s in states), states)
    history = [document("conflict", "show", event, "--db", db)["decisions"] for db in stores]
    ok("and who decided, and why", all(h[0]["reason"] == "asked" and h[0]["resolver"] == "cat" and h[0]["inEffect"] for h in history), history)
    return event, shown[0]


def undone(event, id):
    undo = document("resolve", "--undo", id, "--db", a, "--reason", "too soon")
    ok("undone by the other one", undo["outcome"] == "resolved", undo)
    sync()
    ok("it is open again, everywhere, under its id", [counted(db)[0] for db in stores] == [1, 1, 1]
       and {document("conflicts", "--db", db)["conflicts"][0]["conflictId"] for db in stores} == {id})
    r = subprocess.run([ves, "resolve", "--undo", id, "--db", b, "--json"], capture_output=True, text=True)
    ok("an undo cannot be undone, as nothing is in effect: it says so and writes nothing", r.returncode == 0 and "the conflict is open" in r.stdout
       and document("status", "--db", b)["counts"]["pending"] == 0, [r.returncode, r.stdout, r.stderr])
    cli("resolve", event, "--db", b, "--strategy", "accept_local")
    sync()
    # Two stores take the same decision back at once.
    cli("resolve", "--undo", id, "--db", a), cli("resolve", "--undo", id, "--db", c)
    sync()
    decisions = document("conflict", "show", event, "--db", b)["decisions"]
    ok("undone twice at once: one undo counts, the other is told", [document("conflicts", "--db", db)["open"] for db in stores] == [1, 1, 1]
       and sorted(d["verdict"] for d in decisions[-2:]) == ["applied", "superseded"], decisions)
    cli("resolve", event, "--db", c, "--strategy", "accept_remote")
    sync()
    ok("and decided once more it is closed, everywhere", [document("conflicts", "--db", db)["open"] for db in stores] == [0] * 3)


def rivals():
    ids = [f"R-{i}" for i in range(3)]
    events = quarrel(*ids)
    for event in events:
        both = [subprocess.Popen([ves, "resolve", event, "--db", db, "--strategy", s, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for db, s in ((b, "accept_local"), (b, "accept_remote"), (c, "accept_remote"))]
        outs = [p.communicate()[0] for p in both]
        codes = [p.returncode for p in both]
        assert all(x in (0, 1) for x in codes), (codes, outs)
    waiting = document("status", "--db", b)["counts"]["pending"]
    ok("two processes decide in one store at once: one decision is written for each", waiting == len(events), waiting)
    sync()
    found = [[(x.get("subCode"), x["inEffect"]) for x in document("conflict", "show", event, "--db", db)["decisions"]] for event in events for db in stores]
    ok("two stores at once: one is in effect, the other is told that it came second",
       all(len(f) == 2 and sorted(x[1] for x in f) == [False, True] and [x[0] for x in f if not x[1]] == ["already_resolved"] for f in found), found)
    states = [[document("entity", "--db", db, "customer", id)["state"] for id in ids] for db in stores]
    ok("and all agree", states[0] == states[1] == states[2] and [document("conflicts", "--db", db)["open"] for db in stores] == [0] * 3, states)


def killed():
    """kill -9 while it decides: a decision is whole or not there."""
    ids = [f"K-{i}" for i in range(6)]
    events = quarrel(*ids)
    rng = random.Random(7)
    begun = time.monotonic()
    cli("resolve", events[0], "--db", b, "--strategy", "accept_local", "--dry-run")
    took = time.monotonic() - begun
    for event in events:
        for _ in range(3):
            p = subprocess.Popen([ves, "resolve", event, "--db", b, "--strategy", "accept_local"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.3, 1.5) * took)
            p.kill()
            p.wait()
    listed = document("conflicts", "--db", b)["conflicts"]
    written = document("status", "--db", b)["counts"]["pending"]
    ok(f"after 18 kills each conflict is decided or open, not between ({written} of {len(events)} decided)",
       sum(x["isPending"] for x in listed) == written and len(listed) == len(events), [written, len(listed)])
    check = subprocess.run([ves, "doctor", "--db", b], capture_output=True, text=True)
    ok("and the doctor finds nothing", check.returncode == 0, check.stdout)
    for event in events:
        cli("resolve", event, "--db", b, "--strategy", "accept_local")
    sync()
    decisions = [document("conflict", "show", event, "--db", a)["decisions"] for event in events]
    ok("decided once more, each has one decision", all(len(d) == 1 and d[0]["inEffect"] for d in decisions), decisions)


class Terminal:
    """ves resolve with a person before it."""

    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", NO_COLOR="1")
            os.execv(ves, ["ves", "resolve", *args])
        self.out = b""

    def read(self, until=(b"q quit:", b"b back:", b"may be empty)")):
        """What it says up to a question; a piece of a text may end with anything."""
        seen = len(self.out)
        while not self.out[seen:].rstrip().endswith(until):
            if not select.select([self.fd], [], [], 20)[0]:
                break
            try:
                self.out += os.read(self.fd, 65536)
            except OSError:
                break
        return self.out[seen:].decode(errors="replace")

    def type(self, text):
        os.write(self.fd, text)

    def end(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.out += data
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), self.out.decode(errors="replace")


def walked():
    one, two, three = quarrel("W-1", "W-2", "W-3")
    t = Terminal("--db", b)
    t.read()
    # Somebody writes, and it arrives, while the person reads.
    append(ves, a, "customer.updated", "W-1", {"email": "later@x.org"})
    sync(1)
    sync(1)
    t.type(b"o\n")
    t.read()
    t.type(b"\n")
    again = t.read()
    ok("what moved on while a person read it is shown anew and not decided", document("status", "--db", b)["counts"]["pending"] == 0
       and "later@x.org" in again, t.out.decode(errors="replace"))
    t.type(b"t\n")
    t.read()
    t.type(b"seen\n")
    t.read()
    # The next one is decided elsewhere meanwhile.
    cli("resolve", two, "--db", c, "--strategy", "accept_remote")
    sync(1)
    t.type(b"o\n")
    t.read()
    t.type(b"\n")
    t.read()
    os.close(t.fd)  # the window is closed
    os.waitpid(t.pid, 0)
    sync()
    left = [x["eventId"] for x in document("conflicts", "--db", a)["conflicts"]]
    ok("a window that is closed loses nothing: what was decided is, the rest is open", left == [three], left)
    shown = document("conflict", "show", two, "--db", a)
    ok("what somebody else had decided meanwhile stands", [d["strategy"] for d in shown["decisions"] if d["inEffect"]] == ["accept_remote"], shown["decisions"])
    t = Terminal("--db", b)
    t.read()
    t.type(b"\x03")
    code, out = t.end()
    ok("interrupted, it ends and says how far it came", code in (3, -signal.SIGINT) and document("conflicts", "--db", b)["open"] == 1, [code, out])
    cli("resolve", three, "--db", b, "--strategy", "accept_local")
    sync()
    ok("and in the end nobody counts any", [counted(db)[:2] for db in stores] == [(0, 0)] * 3)


def run(part, *args):
    begun = time.monotonic()
    try:
        return part(*args)
    except Exception as e:
        traceback.print_exc(file=sys.stdout)
        ok(f"{part.__name__} ran to its end", False, repr(e))
    finally:
        print("#", part.__name__, round(time.monotonic() - begun, 2))


if which == "people":
    found = run(everywhere)
    if found:
        run(undone, *found)
    run(walked)
else:
    run(rivals)
    run(killed)
report.end()
