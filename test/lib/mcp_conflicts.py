"""mcp_conflicts.py VES STORE_A STORE_B -- conflicts through the tools: seen by
both stores, asked about, decided, and gone; one TAP line a rule.
"""
import json
import os
import sys

from mcp_pipe import Pipe, initialize, modern, request
from mcp_server import Report, Server, append, shape

ves, store_a, store_b = sys.argv[1:4]
report = Report()
ok = report.ok
FORM = {"elicitation": {}}


def sync(s):
    for tool in ("push_events", "pull_events", "acknowledge_events"):
        r = s.call(tool)
        assert isinstance(r, dict), (tool, r)


def conflict(a, b, kind, id, created, first, second):
    """Both change the same record without knowing of each other; the id of the event in conflict, which is b's."""
    append(ves, store_a, f"{kind}.created", id, created)
    sync(a), sync(b)
    append(ves, store_a, f"{kind}.updated", id, first)
    event = append(ves, store_b, f"{kind}.updated", id, second)
    sync(a), sync(b), sync(a)
    return event


def customer(a, b, id, first=None, second=None):
    return conflict(a, b, "customer", id, {"name": "Ann", "email": "ann@x.org", "phone": "1"},
                    first or {"email": "one@x.org"}, second or {"email": "two@x.org"})


def seen():
    a, b = Server(ves, store_a), Server(ves, store_b)
    event = customer(a, b, "C-1")
    for s, origin in ((b, "own"), (a, "other")):
        r = s.call("get_sync_status", probe=False)
        ok(f"{origin}: status counts the conflict and says what to do",
           r["health"] == "attention" and sum(r["conflictsByType"].values()) == 1
           and 'list_outbox_events {"status":"conflict"}' in r["nextSteps"], r)
        r = s.call("list_outbox_events", status="conflict")
        e = r["events"][0]
        ok(f"{origin}: the list has it under the same id, and whose it is",
           r["total"] == 1 and e["eventId"] == event and e["origin"] == origin and ("localSequence" in e) == (origin == "own"), r)
        for args, total in (({"aggregateId": "C-1"}, 1), ({"type": "customer.updated"}, 1), ({"aggregateId": "C-1", "type": "order.updated"}, 0),
                            ({"aggregateId": "C-9"}, 0)):
            r = s.call("list_outbox_events", status="conflict", **args)
            ok(f"{origin}: {args} of the conflicts", isinstance(r, dict) and r["total"] == total == len(r["events"]), r)
        r = s.call("get_outbox_event", eventId=event)
        c = r.get("conflict", {})
        f = {x["path"]: x for x in c.get("fields", [])}.get("/email", {})
        ok(f"{origin}: both sides, field by field",
           r["status"] == "conflict" and json.loads(f["local"]) == "two@x.org" and json.loads(f["remote"]) == "one@x.org"
           and json.loads(f["base"]) == "ann@x.org" and c["mergeable"] is False and c["remoteEventId"], r)
    doc = json.loads(b.ask("resources/read", uri="ves://conflicts")["result"]["contents"][0]["text"])
    ok("ves://conflicts has it", doc["total"] == 1, doc)
    doc = json.loads(b.ask("resources/read", uri=f"ves://conflict/{event}")["result"]["contents"][0]["text"])
    ok("ves://conflict/{eventId} has it", doc["eventId"] == event, doc)
    got = b.ask("completion/complete", ref={"type": "ref/resource", "uri": "ves://conflict/{eventId}"},
                argument={"name": "eventId", "value": event[:6]})["result"]["completion"]["values"]
    ok("completion knows it", event in got, got)
    return a, b, event


def decided(a, b, event):
    t = b.call("resolve_conflict", eventId=event, strategy="merge")
    ok("a merge that would have to guess is refused, and nothing echoed", shape(t, "MERGE_OVERLAP") and "x.org" not in t, t)
    t = b.call("resolve_conflict", eventId=event, strategy="accept_local", mergedPayload={"email": "x"})
    ok("a payload with a side: refused", shape(t, "PAYLOAD_NOT_ALLOWED"), t)
    t = b.call("resolve_conflict", eventId=event, strategy="accept_local",
               expectedRemoteEventId="018f3c2a-6a0e-7c11-9d0a-3f1b2c4d5e6f")
    ok("another remote event than the one that was looked at: refused", shape(t, "CONFLICT_CHANGED"), t)
    t = b.call("resolve_conflict", eventId="018f3c2a-6a0e-7c11-9d0a-3f1b2c4d5e6f", strategy="merge")
    ok("no such event", shape(t, "EVENT_NOT_FOUND"), t)
    r = b.call("resolve_conflict", eventId=event, strategy="accept_local", dryRun=True)
    ok("a preview changes nothing", r["outcome"] == "preview" and b.call("list_outbox_events", status="conflict")["total"] == 1, r)
    r = b.call("resolve_conflict", eventId=event, strategy="manual")
    ok("manual without forms: both versions, for the user",
       r["outcome"] == "awaiting_user" and {"accept_local", "accept_remote"} <= {c["strategy"] for c in r["choices"]}
       and any(f["path"] == "/email" for f in r["fields"]) and r["remainingConflicts"] == 1, r)
    remote = b.call("get_outbox_event", eventId=event)["conflict"]["remoteEventId"]
    r = b.call("resolve_conflict", eventId=event, strategy="accept_local", expectedRemoteEventId=remote, reason="newer card")
    ok("accept_local is one new signed event", r["outcome"] == "resolved" and r["resultEventId"] and r["payload"]["email"] == "two@x.org", r)
    again = b.call("resolve_conflict", eventId=event, strategy="accept_local", reason="newer card")
    ok("again: already resolved", again["outcome"] == "already_resolved", again)
    sync(b), sync(a)
    for s in (a, b):
        r = s.call("get_sync_status")
        ok("after a sync no store counts it any more", sum(r["conflictsByType"].values()) == 0 and r["health"] == "healthy", r)


def asked(a, b):
    event = customer(a, b, "C-2")
    call = dict(name="resolve_conflict", arguments={"eventId": event, "strategy": "manual"})
    r = b.ask("tools/call", FORM, **call)["result"]
    q = r["inputRequests"]["resolution"]["params"]
    props = q["requestedSchema"]["properties"]
    ok("manual with forms: a form", r["resultType"] == "input_required" and q["mode"] == "form"
       and [x["const"] for x in props["decision"]["oneOf"]][-1] == "later" and "field_1" in props
       and len(q["message"]) < 300 and q["requestedSchema"]["required"] == ["decision"], r)
    state = r["requestState"]
    reply = lambda **content: {"resolution": {"action": "accept", "content": content}}
    d = b.ask("tools/call", FORM, **call, requestState=state, inputResponses={"resolution": {"action": "decline"}})["result"]
    ok("declined: nothing changes", d["structuredContent"]["outcome"] == "declined"
       and b.call("list_outbox_events", status="conflict")["total"] == 1, d)
    d = b.ask("tools/call", FORM, **call, requestState=state, inputResponses=reply(decision="later"))["result"]
    ok("later: nothing changes", d["structuredContent"]["outcome"] == "declined", d)
    # Somebody writes meanwhile.
    append(ves, store_a, "customer.updated", "C-2", {"email": "three@x.org"})
    sync(a), b.call("pull_events")
    d = b.ask("tools/call", FORM, **call, requestState=state, inputResponses=reply(decision="accept_local"))["result"]
    ok("an answer about a version that moved on decides nothing",
       d.get("isError") and shape(d["content"][0]["text"], "CONFLICT_CHANGED"), d)
    r = b.ask("tools/call", FORM, **call)["result"]
    # Another process: the seal is the store's.
    b.close()
    b = Server(ves, store_b)
    d = b.ask("tools/call", FORM, **call, requestState=r["requestState"],
              inputResponses=reply(decision="merge", field_1="local", note="asked at the till"))["result"]
    ok("field by field, answered to a restarted server", d.get("structuredContent", {}).get("outcome") == "resolved"
       and d["structuredContent"]["payload"]["email"] == "two@x.org", d)
    sync(b), sync(a)

    event = conflict(a, b, "customer", "C-2b", {"name": "Ann", "email": "ann@x.org", "phone": "1", "note": "old"},
                     {"email": "one@x.org", "name": "Anna", "tags": ["new"]},
                     {"email": "two@x.org", "phone": None, "note": "ours"})
    call["arguments"]["eventId"] = event
    state = b.ask("tools/call", FORM, **call)["result"]["requestState"]
    d = b.ask("tools/call", FORM, **call, requestState=state, inputResponses=reply(decision="merge"))["result"]
    ok("field by field without a word about a field: asked again", d["resultType"] == "input_required", d)
    d = b.ask("tools/call", FORM, **call, requestState=state, inputResponses=reply(decision="merge", field_1="local"))["result"]
    p = d.get("structuredContent", {}).get("payload", {})
    ok("field by field: what only one side changed is kept, removals too",
       p.get("email") == "two@x.org" and p.get("name") == "Anna" and p.get("note") == "ours" and "phone" not in p
       and p.get("tags") == ["new"], d)
    sync(b), sync(a)

    many = {f"f{i}": "base" for i in range(12)}
    event = conflict(a, b, "customer", "C-2c", {"name": "Ann", "email": "ann@x.org", **many}, {k: "one" for k in many}, {k: "two" for k in many})
    call["arguments"]["eventId"] = event
    r = b.ask("tools/call", FORM, **call)["result"]
    props = r["inputRequests"]["resolution"]["params"]["requestedSchema"]["properties"]
    ok("more fields than the form shows are not chosen field by field",
       "merge" not in [x["const"] for x in props["decision"]["oneOf"]], props)
    d = b.ask("tools/call", FORM, **call, requestState=r["requestState"],
              inputResponses=reply(decision="merge", **{f"field_{i}": "local" for i in range(1, 13)}))["result"]
    ok("nor when the answer says so", d["resultType"] == "input_required", d)
    b.call("resolve_conflict", eventId=event, strategy="accept_local")
    sync(b), sync(a)

    event = customer(a, b, "C-3")
    p = Pipe([ves, "mcp", "--db", store_b, "--check-output"])
    p.ask(initialize(capabilities=FORM))
    p.send(request(1, "tools/call", name="resolve_conflict", arguments={"eventId": event, "strategy": "manual"}))
    q = p.answer()
    p.send({"jsonrpc": "2.0", "id": q["id"], "result": {"action": "accept", "content": {"decision": "accept_remote"}}})
    r = p.answer()
    ok("a legacy client is asked by a request", q["method"] == "elicitation/create"
       and r["result"]["structuredContent"]["outcome"] == "resolved", [q, r])
    p.close()
    sync(b), sync(a)
    return b


def merged(a, b):
    event = customer(a, b, "C-4", {"email": "one@x.org"}, {"phone": "2"})
    r = b.call("list_outbox_events", status="conflict")
    if r["total"] == 0:
        ok("changes of different fields are no conflict at all", True)
        return
    r = b.call("get_outbox_event", eventId=event)
    ok("different fields can be merged", r["conflict"]["mergeable"] and r["conflict"]["suggestedStrategy"] == "merge", r)
    r = b.call("resolve_conflict", eventId=event, strategy="merge")
    ok("and are", r["outcome"] == "resolved" and r["payload"]["phone"] == "2" and r["payload"]["email"] == "one@x.org", r)
    sync(b), sync(a)


def followed(a, b):
    """The third workflow: only what nextSteps say; where they name a person's decision, the model asks and gets one."""
    customer(a, b, "C-5")
    calls, step = [], 'list_outbox_events {"status":"conflict"}'
    while step and len(calls) < 10:
        tool, _, args = step.partition(" ")
        args = json.loads(args)
        if tool == "resolve_conflict" and args["strategy"] == "manual":
            args.update(strategy="accept_remote", reason="the user said so")
        r = b.call(tool, **args)
        calls.append(tool)
        if isinstance(r, str) or r.get("health") == "healthy":
            break
        steps = [x for x in r.get("nextSteps", []) if x.endswith("}")]
        step = steps[0] if steps else None
    ok("resolve conflicts: nextSteps alone lead to healthy within six calls",
       isinstance(r, dict) and r.get("health") == "healthy" and len(calls) <= 6, [calls, r])
    sync(a)


def money(a, b):
    append(ves, store_a, "return.created", "R-1", {"reason": "broken"})
    sync(a), sync(b)
    append(ves, store_a, "return.approved", "R-1", {})
    append(ves, store_b, "return.rejected", "R-1", {})
    sync(a), sync(b), sync(a)
    r = b.call("list_outbox_events", status="conflict")
    ok("one till approves a return, another rejects it: a conflict", r["total"] == 1, r)
    event = r["events"][0]["eventId"]
    ok("money: manual is suggested", b.call("get_outbox_event", eventId=event)["conflict"]["suggestedStrategy"] == "manual")
    for args in ({"strategy": "accept_local"}, {"strategy": "accept_remote"}, {"strategy": "merge"},
                 {"strategy": "manual", "mergedPayload": {"status": "completed"}}):
        t = b.call("resolve_conflict", eventId=event, **args)
        ok(f"money: {args['strategy']} is not an agent's to choose", shape(t, "STRATEGY_NOT_ALLOWED"), t)
    r = b.call("resolve_conflict", eventId=event, strategy="manual")
    ok("money: manual asks", r["outcome"] == "awaiting_user", r)
    s = Server(ves, store_b, "--allow", "payment,return")
    r = s.call("resolve_conflict", eventId=event, strategy="accept_remote", dryRun=True)
    ok("money: unless the operator allowed it", isinstance(r, dict) and r["outcome"] == "preview", r)
    s.close()
    call = dict(name="resolve_conflict", arguments={"eventId": event, "strategy": "manual"})
    q = b.ask("tools/call", FORM, **call)["result"]
    d = b.ask("tools/call", FORM, **call, requestState=q["requestState"],
              inputResponses={"resolution": {"action": "accept", "content": {"decision": "accept_remote"}}})["result"]
    ok("money: a person decides it in the form", d.get("structuredContent", {}).get("outcome") == "resolved", d)
    sync(b), sync(a)
    ok("money: and it is decided", a.call("get_sync_status")["health"] == "healthy")


try:
    a, b, event = seen()
    decided(a, b, event)
    b = asked(a, b)
    merged(a, b)
    followed(a, b)
    money(a, b)
except Exception as e:
    import traceback
    traceback.print_exc(file=sys.stdout)
    ok("ran to its end", False, repr(e))
report.end()
