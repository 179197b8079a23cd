"""mcp_stdio.py FIXTURE -- what a server on a pipe must do, one TAP line a rule.

The situations are those in which the wire transcripts of the official
TypeScript SDK were taken, and those in which it misbehaves.
"""
import json
import re
import sys
import time

from mcp_pipe import META, MODERN, Pipe, initialize, meta, modern, request

count = 0
failed = 0


def ok(what, holds, got=None):
    global count, failed
    count += 1
    print(("ok" if holds else "not ok"), count, "-", what)
    if not holds:
        failed += 1
        print("#   got:", json.dumps(got)[:600] if not isinstance(got, (bytes, str)) else got)


def code(a):
    return (a or {}).get("error", {}).get("code")


def start():
    return Pipe(command)


def end(p, what):
    rc, rest, err = p.close()
    ok(f"{what}: ends with its input, nothing more to say", rc == 0 and not rest and not err, [rc, rest, err])


def memory_factor():
    """How much of the process's memory stands for a byte that the server took: ThreadSanitizer keeps shadows of what is
    used, AddressSanitizer what was freed.  What the server takes of its allocator test_mcp measures in every build."""
    with open(command[0], "rb") as f:
        program = f.read()
    return 5 if b"__tsan_init" in program else 3 if b"__asan_init" in program else 1


def modern_era():
    p = start()
    a = p.ask(modern(1, "server/discover"))
    r = a["result"]
    ok("discover: versions, capabilities, info, cache hints",
       r["supportedVersions"] == [MODERN] and r["resultType"] == "complete" and r["ttlMs"] >= 0
       and r["cacheScope"] in ("public", "private") and "tools" in r["capabilities"]
       and r["_meta"][META + "serverInfo"]["name"], a)
    for i, (method, key) in enumerate([("tools/list", "tools"), ("resources/list", "resources"),
                                       ("resources/templates/list", "resourceTemplates"),
                                       ("prompts/list", "prompts")]):
        a = p.ask(modern(10 + i, method))
        ok(f"{method}: complete, cacheable", a["result"].get(key) and a["result"]["resultType"] == "complete"
           and "ttlMs" in a["result"], a)
    a = p.ask(modern(20, "tools/call", name="test_structured", arguments={"s": "x"}))
    r = a["result"]
    ok("tools/call: structured and the same as text",
       r["structuredContent"] == {"s": "x"} and json.loads(r["content"][0]["text"]) == {"s": "x"}
       and r["resultType"] == "complete" and "ttlMs" not in r, a)
    a = p.ask(modern(21, "resources/read", uri="test://template/a%20b/data"))
    ok("resources/read of a template", json.loads(a["result"]["contents"][0]["text"])["id"] == "a b", a)
    a = p.ask(modern(22, "prompts/get", name="test_prompt_with_arguments", arguments={"arg1": "1", "arg2": "2"}))
    ok("prompts/get", a["result"]["messages"][0]["role"] == "user", a)
    a = p.ask(modern(23, "completion/complete", ref={"type": "ref/prompt", "name": "test_prompt_with_arguments"},
                     argument={"name": "arg1", "value": "par"}))
    ok("completion", a["result"]["completion"] == {"values": ["paris", "park", "party"], "total": 3, "hasMore": False}, a)
    end(p, "modern")


def modern_errors():
    p = start()
    ok("unknown tool: -32602", code(p.ask(modern(1, "tools/call", name="nope", arguments={}))) == -32602)
    a = p.ask(modern(2, "tools/call", name="test_structured", arguments={"s": "x", "n": 99}))
    ok("a wrong argument is a tool's error, in words, with what would do",
       a["result"]["isError"] and "structuredContent" not in a["result"]
       and re.match(r"INVALID_ARGUMENT: n must be an integer from 1 to 10 \(got 99\)\.\nNothing was changed\.\n"
                    r"Next: test_structured \{\"n\":10\}$", a["result"]["content"][0]["text"]), a)
    a = p.ask(modern(3, "tools/call", name="test_structured", arguments={"S_": "x"}))
    ok("an unknown argument is told the right one", 'did you mean "s"?' in a["result"]["content"][0]["text"], a)
    a = p.ask(modern(4, "resources/read", uri="test://none"))
    ok("no such resource: -32602 with its uri", code(a) == -32602 and a["error"]["data"] == {"uri": "test://none"}, a)
    ok("no such method: -32601", code(p.ask(modern(5, "nope/nope"))) == -32601)
    for i, m in enumerate(["ping", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]):
        ok(f"{m} is gone: -32601", code(p.ask(modern(10 + i, m))) == -32601)
    ok("missing capabilities: -32602",
       code(p.ask(request(20, "tools/list", _meta={META + "protocolVersion": MODERN}))) == -32602)
    ok("missing version: -32602",
       code(p.ask(request(21, "tools/list", _meta={META + "clientCapabilities": {}}))) == -32602)
    ok("discover without _meta: -32602", code(p.ask(request(22, "server/discover"))) == -32602)
    ok("a cursor of somebody else: -32602", code(p.ask(modern(23, "tools/list", cursor="zzz"))) == -32602)
    ok("unknown prompt: -32602", code(p.ask(modern(24, "prompts/get", name="zz"))) == -32602)
    ok("missing prompt argument: -32602",
       code(p.ask(modern(25, "prompts/get", name="test_prompt_with_arguments", arguments={"arg1": "x"}))) == -32602)
    ok("arguments that are no object: -32602",
       code(p.ask(modern(26, "tools/call", name="test_simple_text", arguments=[1]))) == -32602)
    end(p, "modern errors")


def versions():
    for i, first in enumerate([True, False]):
        p = start()
        if not first:
            p.ask(modern(1, "tools/list"))
        for v in ["1999-01-01", "2025-11-25", "draft"]:
            a = p.ask(request(v, "tools/list", _meta=meta(version=v)))
            ok(f"version {v} on {'the first request' if first else 'a later request'}: -32022",
               code(a) == -32022 and a["error"]["data"] == {"supported": [MODERN], "requested": v}, a)
        ok("and the pipe goes on", "result" in p.ask(modern(3, "tools/list")))
        end(p, "versions")


def framing():
    p = start()
    p.ask(modern(1, "server/discover"))
    cases = [("broken JSON", b"{bad json", -32700, None), ("an empty array", b"[]", -32600, None),
             ("a batch", json.dumps([modern(2, "tools/list")]).encode(), -32600, None),
             ("id null", json.dumps(modern(None, "tools/list")).encode(), -32600, None),
             ("another jsonrpc", json.dumps({**modern(5, "tools/list"), "jsonrpc": "1.0"}).encode(), -32600, 5),
             ("a fractional id", json.dumps(modern(6.5, "tools/list")).encode(), -32600, None),
             ("an object as id", json.dumps(modern({}, "tools/list")).encode(), -32600, None),
             ("a boolean as id", json.dumps(modern(True, "tools/list")).encode(), -32600, None),
             ("no method", b'{"jsonrpc":"2.0","id":7}', -32600, 7),
             ("a method that is no string", b'{"jsonrpc":"2.0","id":8,"method":1}', -32600, 8),
             ("params that are a list", b'{"jsonrpc":"2.0","id":9,"method":"tools/list","params":[]}', -32602, 9),
             ("a bare string", b'"hello"', -32600, None), ("a number", b"17", -32600, None),
             ("bytes that are no UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700, None),
             ("a lone surrogate", b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', -32700, None),
             ("NUL", b'{"jsonrpc":"2.0",\x00"id":1}', -32700, None),
             ("a name twice", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32700, None),
             ("two documents on a line", b"{} {}", -32700, None),
             ("too deep", b"[" * 500 + b"]" * 500, -32700, None)]
    for what, line, wanted, id in cases:
        p.send(line)
        a = p.answer()
        ok(f"{what}: {wanted}, id {'left out' if id is None else 'given back'}",
           code(a) == wanted and (("id" not in a) if id is None else a.get("id") == id), a)
    for what, line in [("an unknown notification", b'{"jsonrpc":"2.0","method":"notifications/unknown"}'),
                       ("a malformed notification", b'{"jsonrpc":"1.0","method":"x","params":3}'),
                       ("a blank line", b"  \t "), ("an empty line", b""),
                       ("an answer nobody waits for", b'{"jsonrpc":"2.0","id":99,"result":{}}'),
                       ("a cancellation of nothing",
                        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}')]:
        p.send(line)
        ok(f"{what}: silence", p.is_silent(0.1))
    a = p.ask(modern(10, "resources/list"))
    ok("after all that a modern request is answered in the modern way", a["result"]["resultType"] == "complete", a)
    for raw in ["-0", "12345678901234567890123", '"a\\u00e9\\"b"', '""', "0"]:
        p.send('{"jsonrpc":"2.0","id":%s,"method":"tools/list","params":{"_meta":%s}}' % (raw, json.dumps(meta())))
        line = p.receive()
        ok(f"id {raw} comes back byte for byte", b'"id":' + raw.encode() + b"," in line, line[:80])
    p.send(json.dumps(modern(11, "tools/list")).encode() + b"\r")
    ok("a carriage return before the line end is dropped", p.answer()["id"] == 11)
    p.send(b'{"jsonrpc":"2.0","id":12,"method":"tools/list","params":{"pad":"' + b"x" * (9 << 20) + b'"}}')
    a = p.answer()
    ok("a line over the limit: -32600 once", code(a) == -32600 and "id" not in a, a)
    ok("and the next line is read again", p.ask(modern(13, "tools/list"))["id"] == 13)
    p.send(b'{"jsonrpc":"2.0","id":14,"method":"tools/call","params":{"_meta":' + json.dumps(meta()).encode()
           + b',"name":"test_structured","arguments":{"s":"' + b"y" * (1 << 20) + b'"}}}')
    a = p.answer()
    ok("a megabyte is no problem", len(a["result"]["structuredContent"]["s"]) == 1 << 20)
    peak = p.peak()
    p.send(b'{"jsonrpc":"2.0","id":15,"method":"tools/list","params":{"pad":[' + b"1," * (4000 * 1000) + b'1]}}')
    a = p.answer()
    ok("eight megabytes of nothing but small values do not take the memory of the machine",
       code(a) == -32603 and p.peak() - peak < memory_factor() * (200 << 20), [a, peak, p.peak()])
    end(p, "framing")


def questions():
    p = start()
    ask = dict(name="test_input_required_result_request_state", arguments={})
    a = p.ask(modern(1, "tools/call", **ask))
    ok("a client that cannot be asked: -32021 and what it lacks",
       code(a) == -32021 and a["error"]["data"] == {"requiredCapabilities": {"elicitation": {"form": {}}}}, a)
    form = {"elicitation": {}}
    a = p.ask(modern(2, "tools/call", form, **ask))
    r = a["result"]
    ok("a question is a result: input_required, a form, a sealed state",
       r["resultType"] == "input_required" and r["inputRequests"]["confirm"]["method"] == "elicitation/create"
       and r["inputRequests"]["confirm"]["params"]["mode"] == "form" and r["requestState"].startswith("v1.")
       and "ttlMs" not in r, a)
    state = r["requestState"]
    yes = {"confirm": {"action": "accept", "content": {"ok": True}}}
    a = p.ask(modern(3, "tools/call", form, **ask, inputResponses=yes, requestState=state))
    ok("its answer completes the request", "state-ok" in a["result"]["content"][0]["text"], a)
    flip = state[:-1] + ("A" if state[-1] != "A" else "B")
    ok("a state that was touched: -32602",
       code(p.ask(modern(4, "tools/call", form, **ask, inputResponses=yes, requestState=flip))) == -32602)
    other = dict(name="test_input_required_result_tampered_state", arguments={})
    ok("a state of another tool: -32602",
       code(p.ask(modern(5, "tools/call", form, **other, inputResponses=yes, requestState=state))) == -32602)
    changed = dict(name=ask["name"], arguments={"a": 1})
    ok("a state of other arguments: -32602",
       code(p.ask(modern(6, "tools/call", form, **changed, inputResponses=yes, requestState=state))) == -32602)
    a = p.ask(modern(7, "tools/call", form, **ask, inputResponses={"other": {"action": "accept"}}))
    ok("an answer to something else is asked again", a["result"]["resultType"] == "input_required", a)
    a = p.ask(modern(8, "tools/call", {"elicitation": {"url": {}}}, **ask))
    ok("a client with links but no forms cannot be asked", code(a) == -32021, a)
    end(p, "questions")

    p = start()
    p.ask(initialize(capabilities=form))
    p.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    p.send(request(1, "tools/call", name="test_input_required_result_multi_round", arguments={}))
    q = p.answer()
    ok("legacy: the server asks", q["method"] == "elicitation/create" and q["params"]["mode"] == "form", q)
    ok("legacy: other requests are answered meanwhile", p.ask(request(2, "ping"))["result"] == {})
    p.send({"jsonrpc": "2.0", "id": q["id"], "result": {"action": "accept", "content": {"name": "Ada"}}})
    q = p.answer()
    ok("legacy: and asks again", "color" in json.dumps(q), q)
    p.send({"jsonrpc": "2.0", "id": q["id"], "result": {"action": "accept", "content": {"color": "blue"}}})
    a = p.answer()
    ok("legacy: then answers", a["id"] == 1 and a["result"]["content"][0]["text"] == "Ada likes blue.", a)
    p.send(request(3, "tools/call", name="test_elicitation", arguments={"message": "m"}))
    q = p.answer()
    rc, rest, err = p.close()
    ok("legacy: at the end of input an open question counts as cancelled and the request is answered",
       rc == 0 and len(rest) == 1 and rest[0]["id"] == 3 and "cancel" in json.dumps(rest[0]), [rc, rest, err])

    p = start()
    p.ask(initialize(capabilities=form))
    stray = [{"jsonrpc": "2.0", "id": n, "result": {"action": "decline"}} for n in range(60, 90)]
    for i in range(40):
        p.send(request(i, "tools/call", name="test_input_required_result_multi_round", arguments={}), *stray)
    answered = []
    while len(answered) < 40:
        m = p.answer()
        if not m:
            break
        if "method" in m:
            p.send({"jsonrpc": "2.0", "id": m["id"], "result": {"action": "accept", "content": {"name": "Ada", "color": "blue"}}})
        else:
            answered.append(m["id"])
    ok("legacy: answers to questions not asked yet do no harm to those that are", sorted(answered) == list(range(40)), answered)
    end(p, "stray answers")

    p = start()
    p.ask(initialize())
    a = p.ask(request(1, "tools/call", name="test_elicitation", arguments={"message": "m"}))
    ok("legacy: a client that cannot be asked", code(a) == -32021, a)
    end(p, "legacy questions")


def progress():
    p = start()
    p.send(request(1, "tools/call", name="test_tool_with_progress", arguments={}, _meta=meta(progressToken="t1")))
    seen = [p.answer() for _ in range(4)]
    ok("progress: three notifications that rise, then the answer",
       [m["params"]["progress"] for m in seen[:3]] == [0, 50, 100]
       and all(m["params"]["progressToken"] == "t1" for m in seen[:3]) and seen[3]["id"] == 1, seen)
    p.send(modern(2, "tools/call", name="test_tool_with_progress", arguments={}))
    a = p.answer()
    ok("progress: none that was not asked for", a["id"] == 2 and "result" in a, a)
    for id in range(100, 105):  # a server that the machine kept waiting for three seconds may be asked again
        p.send(request(id, "tools/call", name="test_slow", arguments={}, _meta=meta(progressToken=7)))
        first = p.answer()["params"]["progressToken"]
        p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": "x"}})
        late = []
        while m := p.answer(0.4):
            late.append(m)
        if all("id" not in m for m in late) and len(late) < 20:
            break
    ok("progress: a number as token", first == 7, first)
    ok("cancelled: no answer, and soon no progress", all("id" not in m for m in late) and len(late) < 20, late)
    p.send(modern(4, "tools/call", name="test_slow", arguments={}))
    a = p.ask(modern(4, "tools/list"))
    ok("an id that is in use may still list", "result" in a, a)
    a = p.ask(modern(4, "tools/call", name="test_simple_text", arguments={}))
    ok("an id that is in use: -32600", code(a) == -32600, a)
    started = time.monotonic()
    rc, rest, err = p.close()
    ok("what was read before the end of input is answered", rc == 0 and [m["id"] for m in rest] == [4], [rc, rest, err])


def subscriptions():
    p = start()
    p.send(modern("sub-1", "subscriptions/listen",
                  notifications={"toolsListChanged": True, "resourceSubscriptions": ["test://watched-resource", "test://nope",
                                                                                     "test://static-text"]}))
    a = p.answer()
    ok("listen: acknowledged with what there is to be heard, and no more",
       a["method"] == "notifications/subscriptions/acknowledged"
       and a["params"]["notifications"] == {"resourceSubscriptions": ["test://watched-resource"]}
       and a["params"]["_meta"][META + "subscriptionId"] == "sub-1", a)
    p.send(modern(2, "subscriptions/listen", notifications={}))
    a = p.answer()
    ok("listen: to nothing, too; the id keeps its type", a["params"]["_meta"][META + "subscriptionId"] == 2, a)
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}})
    p.send(modern("sub-1", "subscriptions/listen", notifications={}))
    a = p.answer()
    ok("listen: not twice under one id", code(a) == -32600 and a["id"] == "sub-1", a)
    p.send(modern(3, "subscriptions/listen", notifications={"resourceSubscriptions": ["test://watched-resource"] * 1000}))
    a = p.answer()
    ok("listen: a resource a thousand times is that resource",
       a["params"]["notifications"] == {"resourceSubscriptions": ["test://watched-resource"]}, str(a)[:300])
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}})
    p.send(modern(4, "subscriptions/listen", notifications={"resourceSubscriptions": {"x": "test://watched-resource"}}))
    a = p.answer()
    ok("listen: what is no list names nothing", a["params"]["notifications"] == {}, a)
    p.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}})
    rc, rest, err = p.close()
    ok("listen: answered when the server ends; not what was cancelled",
       rc == 0 and [m["id"] for m in rest] == ["sub-1"] and rest[0]["result"]["resultType"] == "complete"
       and rest[0]["result"]["_meta"][META + "subscriptionId"] == "sub-1", [rc, rest, err])


def legacy_era():
    p = start()
    a = p.ask(initialize(capabilities={"elicitation": {}}))
    ok("initialize", a["result"]["protocolVersion"] == "2025-11-25" and "resultType" not in a["result"]
       and a["result"]["capabilities"]["resources"] == {"subscribe": True}, a)
    p.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    a = p.ask(request(1, "tools/list"))
    ok("tools/list without hints of the other era", "resultType" not in a["result"] and "ttlMs" not in a["result"], a)
    a = p.ask(request(2, "tools/call", name="test_structured", arguments={"s": "x"}))
    ok("tools/call", a["result"]["structuredContent"] == {"s": "x"} and "_meta" not in a["result"], a)
    ok("ping", p.ask(request(3, "ping"))["result"] == {})
    ok("resources/subscribe does what is advertised",
       p.ask(request(4, "resources/subscribe", uri="test://watched-resource"))["result"] == {})
    ok("resources/unsubscribe", p.ask(request(5, "resources/unsubscribe", uri="test://watched-resource"))["result"] == {})
    ok("subscribing to nothing: -32002", code(p.ask(request(6, "resources/subscribe", uri="test://none"))) == -32002)
    ok("no such resource: -32002", code(p.ask(request(7, "resources/read", uri="test://none"))) == -32002)
    ok("unknown tool: -32602", code(p.ask(request(8, "tools/call", name="nope", arguments={}))) == -32602)
    a = p.ask(request(9, "tools/call", name="test_structured", arguments={"s": 1}))
    ok("wrong arguments", a["result"]["isError"], a)
    ok("logging/setLevel", p.ask(request(10, "logging/setLevel", level="error"))["result"] == {})
    p.send(request(11, "tools/call", name="test_tool_with_logging", arguments={}))
    ok("and nothing below that level is sent", p.answer().get("id") == 11)
    a = p.ask(modern(12, "tools/list"))
    ok("a modern request on the same pipe is answered in the modern way", a["result"]["resultType"] == "complete", a)
    a = p.ask(request(13, "tools/list"))
    ok("and a legacy one after it in the legacy way", "resultType" not in a["result"], a)
    end(p, "legacy")


def handshakes():
    for asked, given in [("1999-01-01", "2025-11-25"), (MODERN, "2025-11-25"), ("2025-06-18", "2025-06-18"),
                         ("2025-03-26", "2025-03-26"), ("2024-11-05", "2024-11-05")]:
        p = start()
        a = p.ask(initialize(version=asked))
        ok(f"initialize asking {asked} gets {given}", a["result"]["protocolVersion"] == given, a)
        tool = [t for t in p.ask(request(1, "tools/list"))["result"]["tools"] if t["name"] == "test_structured"][0]
        r = p.ask(request(2, "tools/call", name="test_structured", arguments={"s": "x"}))["result"]
        ok(f"{given}: what it does not know is left out",
           ("outputSchema" in tool) == ("structuredContent" in r) == (given >= "2025-06-18")
           and ("annotations" in tool) == (given >= "2025-03-26")
           and json.loads(r["content"][0]["text"]) == {"s": "x"}, [tool, r])
        ok(f"{given}: completions are declared when it knows them",
           ("completions" in a["result"]["capabilities"]) == (given >= "2025-03-26"), a)
        end(p, given)
    p = start()
    ok("tools/list before initialize is answered", "result" in p.ask(request(0, "tools/list")))
    ok("ping before initialize is answered", "result" in p.ask(request(1, "ping")))
    ok("an unknown request before initialize: -32601", code(p.ask(request(2, "foo/bar"))) == -32601)
    ok("then initialize", p.ask(initialize(3, "2025-06-18"))["result"]["protocolVersion"] == "2025-06-18")
    end(p, "early requests")
    p = start()
    p.ask(modern(0, "server/discover"))
    ok("discover, then initialize on the same pipe", "result" in p.ask(initialize(1)))
    ok("and a legacy list", "resultType" not in p.ask(request(2, "tools/list"))["result"])
    end(p, "both eras")


def batches():
    p = start()
    p.ask(initialize(version="2025-03-26"))
    p.send([request(1, "ping"), {"jsonrpc": "2.0", "method": "notifications/x"}, 5,
            request("b", "tools/call", name="test_simple_text", arguments={})])
    a = p.answer()
    ok("2025-03-26: a batch is answered by one array, without its notifications",
       isinstance(a, list) and sorted(str(m.get("id")) for m in a) == ["1", "None", "b"], a)
    p.send([{"jsonrpc": "2.0", "method": "notifications/x"}])
    ok("2025-03-26: a batch of notifications is not answered", p.is_silent(0.1))
    p.send([])
    ok("2025-03-26: an empty batch: -32600", code(p.answer()) == -32600)
    p.send([[request(1, "ping")]])
    ok("2025-03-26: a batch in a batch: -32600", code(p.answer()[0]) == -32600)
    p.send([request(i, "tools/list") for i in range(30000)])
    a = p.answer()
    ok("2025-03-26: a batch with more answers than anybody takes is told so", code(a) == -32603, str(a)[:200])
    end(p, "batches")
    p = start()
    p.ask(initialize())
    p.send([request(1, "ping")])
    ok("2025-11-25: a batch: -32600", code(p.answer()) == -32600)
    end(p, "no batches")


def ends():
    p = start()
    p.send(*[modern(i, "tools/call", name="test_structured", arguments={"s": str(i)}) for i in range(500)])
    rc, rest, err = p.close()
    ok("500 requests and the end of input: 500 answers",
       rc == 0 and sorted(m["id"] for m in rest) == list(range(500))
       and all(m["result"]["structuredContent"]["s"] == str(m["id"]) for m in rest), [rc, len(rest), err])
    p = start()
    p.process.stdin.write(json.dumps(modern(1, "tools/list")).encode())
    p.process.stdin.flush()
    rc, rest, err = p.close()
    ok("a last line without its end is a line", rc == 0 and [m["id"] for m in rest] == [1], [rc, rest, err])
    rc, rest, err = start().close()
    ok("nothing at all", rc == 0 and not rest and not err, [rc, rest, err])
    p = start()
    p.ask(modern(1, "tools/list"))
    p.process.terminate()
    ok("SIGTERM ends it", p.process.wait(60) == 0)
    p = start()
    p.process.stdout.close()
    p.send(modern(1, "tools/list"), modern(2, "tools/list"))
    ok("a client that is gone ends it", p.process.wait(60) == 0)


command = sys.argv[1:]
for part in (modern_era, modern_errors, versions, framing, questions, progress, subscriptions, legacy_era, handshakes,
             batches, ends):
    try:
        part()
    except Exception as e:  # a part that falls over is a failure, and the others still run
        ok(f"{part.__name__} ran to its end", False, repr(e))
sys.exit(1 if failed else 0)
