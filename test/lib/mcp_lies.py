"""mcp_lies.py VES STORE OTHER MODE_FILE -- what an agent is told when the sequencer, or somebody before it, lies; one TAP
line a rule.  STORE reaches the sequencer through proxy.py, OTHER directly; both are joined.
"""
import json
import re
import sys
import traceback

from mcp_pipe import modern
from mcp_server import Report, Server, append, shape

ves, store, other, mode_file = sys.argv[1:5]
report = Report()
ok = report.ok


def mode(word):
    with open(mode_file, "w") as f:
        f.write(word + "\n")


def feed(o, n):
    for _ in range(n):
        append(ves, other, "inventory.adjusted", "MUG", {"delta": 1})
    o.call("push_events")


def gaps(s, o):
    feed(o, 3)
    mode("drop")
    t = s.call("pull_events")
    n = s.call("get_sync_status", probe=False)["sequence"]["lastPulled"]
    ok("a hole behind what was applied: how far, and what is missing", isinstance(t, dict) and t["applied"] > 0
       and t["gap"] == {"expected": n + 1, "received": n + 2} and t["hasMore"] and "a sequence number is missing" in t["summary"]
       and t["nextSteps"][0] == "pull_events {}" and f"report sequence {n + 1} " in t["nextSteps"][1], [t, n])
    t = s.call("pull_events")
    ok("a hole right away: the same as an error", shape(t, "SEQUENCE_GAP") and f"expected sequence {n + 1}, received {n + 2}" in t, t)
    mode("drop-once")
    r = s.call("pull_events")
    ok("what is missing is asked for once more before anything is said", isinstance(r, dict) and not r["hasMore"] and "gap" not in r, r)


def busy():
    s, o = Server(ves, store), Server(ves, other)
    s.call("push_events"), s.call("pull_events"), s.call("acknowledge_events")
    append(ves, store, "inventory.adjusted", "MUG", {"delta": 1})
    feed(o, 1)
    mode("busy 7")
    for tool, args in (("push_events", {}), ("pull_events", {}), ("pull_events", {"dryRun": True})):
        t = s.call(tool, **args)
        ok(f"busy: {tool} {args or ''} says so, and for how long", shape(t, "RATE_LIMITED") and " 7 s" in t.split("\n")[0]
           and "in 7 s" in t.split("\n")[2] and "delete_everything" not in t, t)
    r = s.call("get_sync_status")
    ok("busy: status says that it is there, and why it does not answer", r["sequencer"]["reachable"] and "busy" in r["sequencer"]["error"]
       and r["counts"]["pending"] == 1, r)
    mode("honest")
    t = s.call("push_events", includeFailed=False)
    ok("what is no person's call waits, though it is not busy any more", shape(t, "RATE_LIMITED"), t)
    r = s.call("push_events")
    ok("a call by hand does not, and is the probe", isinstance(r, dict) and r["accepted"] == 1, r)
    append(ves, store, "inventory.adjusted", "MUG", {"delta": 1})
    r = s.call("push_events", includeFailed=False)
    ok("which it was", isinstance(r, dict) and r["accepted"] == 1, r)
    mode("busy 9999999")
    t = s.call("pull_events")
    ok("nobody is believed to need more than an hour", shape(t, "RATE_LIMITED") and " 3600 s" in t, t)
    mode("busy")
    t = s.call("pull_events")
    ok("busy, and no word for how long", shape(t, "RATE_LIMITED") and " 30 s" in t, t)
    mode("honest")
    feed(o, 3)
    s.close()
    s = Server(ves, store, "--set", "batchSize=1")
    for _ in range(3):
        append(ves, store, "inventory.adjusted", "MUG", {"delta": 1})
    mode("busy-later 5")
    r = s.call("push_events")
    ok("busy after a part was sent: both are said", isinstance(r, dict) and r["accepted"] == 1 and r["remaining"] == 2 and "busy" in r["summary"]
       and r["nextSteps"][0] == "push_events {} again in 5 s", r)
    mode("honest")
    s.call("push_events"), s.call("pull_events")
    s.close(), o.close()


def stopped():
    s = Server(ves, store)
    s.ask("tools/list")
    mode("stuck")
    s.pipe.send(modern(900, "tools/call", name="pull_events", arguments={"dryRun": True}))
    s.call("list_outbox_events", limit=1)
    s.pipe.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 900}})
    code, rest, words = s.pipe.close()
    ok("a look at a sequencer that does not answer is stopped when nobody waits for it", code == 0 and not rest
       and "no answer" not in words, [code, rest, words])
    mode("honest")


def lies():
    s, o = Server(ves, store), Server(ves, other)
    s.call("pull_events")  # the keys of the two
    feed(o, 3)
    r = s.call("pull_events")
    ok("an honest one is no trouble", r["applied"] == 3, r)
    feed(o, 2)
    mode("empty")
    t = s.call("pull_events")
    ok("more is said to be there than is given: a gap, from which number", shape(t, "SEQUENCE_GAP") and "sequence 6" in t and "report sequences 6-" in t, t)
    for lie in ("html", "garbage", "deep"):
        mode(lie)
        t = s.call("pull_events")
        ok(f"{lie}: an error in our words", isinstance(t, str) and re.match(r"[A-Z_]+: [^\n]+\n[^\n]+\nNext: [^\n]+$", t) and "<" not in t, t)
    mode("honest")
    r = s.call("pull_events")
    ok("afterwards nothing is missing", isinstance(r, dict) and r["applied"] == 2 and not r["hasMore"], r)
    feed(o, 2)
    mode("drop")
    r = s.call("pull_events")
    status = s.call("get_sync_status", probe=False)
    ok("a number left out of a page is not passed over", status["sequence"]["lastPulled"] <= 8 and (isinstance(r, str) or r["applied"] < 2), [r, status])
    gaps(s, o)
    mode("corrupt")
    feed(o, 1)
    r = s.call("pull_events")
    text = r if isinstance(r, str) else json.dumps(r)
    ok("what does not verify is not applied, and the user is to be told", re.search("[Rr]eport|[Tt]ell the user", text) and "777" not in text, r)
    r = s.call("get_sync_status")
    calls, step = 1, [x for x in r["nextSteps"] if re.match(r"[a-z_]+ \{", x)]
    ok("status: attention, and telling the user comes before all calls", r["health"] == "attention" and r["nextSteps"][0].startswith("Tell the user"), r)
    mode("honest")
    while step and calls < 8:
        tool, _, args = step[0].partition(" ")
        r = s.call(tool, **json.loads(args))
        calls += 1
        step = [x for x in r["nextSteps"] if re.match(r"[a-z_]+ \{", x)] if isinstance(r, dict) else []
        if tool == "get_sync_status" and r["health"] in ("healthy", "attention"):
            break
    ok("nextSteps come to an end within six calls", calls <= 6, [calls, r])
    append(ves, store, "inventory.adjusted", "MUG", {"delta": 1})
    mode("push-refuse")
    r = s.call("push_events")
    refused = isinstance(r, dict) and r["failed"] == 1
    ok("what is refused for good is said to the user, and kept", refused and any(x.startswith("Tell the user") for x in r["nextSteps"])
       == (not r["problems"][0]["retryable"]) and s.call("list_outbox_events", status="failed")["total"] == 1, r)
    mode("honest")
    s.close(), o.close()


for part in (lies, busy, stopped):
    try:
        part()
    except Exception as e:
        traceback.print_exc(file=sys.stdout)
        ok(f"{part.__name__} ran to its end", False, repr(e))
report.end()
