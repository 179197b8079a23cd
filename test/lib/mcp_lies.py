"""mcp_lies.py VES STORE OTHER MODE_FILE -- what an agent is told when the sequencer, or somebody before it, lies; one TAP
line a rule.  STORE reaches the sequencer through proxy.py, OTHER directly; both are joined.
"""
import json
import re
import sys
import traceback

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


def lies():
    s, o = Server(ves, store), Server(ves, other)
    feed(o, 3)
    r = s.call("pull_events")
    ok("an honest one is no trouble", r["applied"] == 3, r)
    feed(o, 2)
    mode("empty")
    t = s.call("pull_events")
    ok("more is said to be there than is given: a gap, from which number", shape(t, "SEQUENCE_GAP") and "sequence 4" in t and "report sequences 4-" in t, t)
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
    ok("a number left out of a page is not passed over", status["sequence"]["lastPulled"] <= 6 and (isinstance(r, str) or r["applied"] < 2), [r, status])
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


try:
    lies()
except Exception as e:
    traceback.print_exc(file=sys.stdout)
    ok("ran to its end", False, repr(e))
report.end()
