"""http_checks.py URL ADMIN_KEY_FILE HUB.db SOURCES HTTP.md OPENAPI.json

Every route of the sequencer over real HTTP, with good and bad credentials, good
and bad bodies.  Prints "ok NAME" and "not ok NAME" lines for 25-http.sh.  The
list of routes comes from the tables in SOURCES (src/server); at the end each of
them must have been called with success or, where it has none, at all.  Every
answer is compared with what HTTP.md and OPENAPI.json say of it.
"""
import base64
import datetime
import glob
import http.client
import json
import os
import re
import sys
import time
import urllib.parse
import uuid

import openapi
import vestest as v

DESCRIPTION = openapi.Description(sys.argv[6])
HOST = urllib.parse.urlsplit(sys.argv[1]).netloc
ADMIN = open(sys.argv[2]).read().strip()
HUB = v.open_store(sys.argv[3])
ROUTES = []
for source in sorted(glob.glob(sys.argv[4] + "/routes_*.c")):
    for method, pattern, access in re.findall(
            r"\{VES_METHOD_(\w+),\s*\"([^\"]+)\",\s*VES_ROUTE_\w+,\s*"
            r"VES_ACCESS_(\w+),", open(source).read()):
        ROUTES.append((method, pattern, access))
    for pattern in re.findall(r"(?:READ|LEGACY)\(\"([^\"]+)\"",
                              open(source).read()):
        ROUTES.append(("GET", pattern, "READ"))
TENANT, STORE = str(uuid.uuid4()), str(uuid.uuid4())
STREAM = "tenant_id=%s&store_id=%s" % (TENANT, STORE)
SEED, AGENT = b"\x07" * 32, str(uuid.uuid4())
called, undescribed = set(), set()


class Reply:
    def __init__(self, reply):
        self.status = reply.status
        self.headers = {k.lower(): x for k, x in reply.getheaders()}
        self.data = reply.read()
        try:
            self.json = json.loads(self.data)
        except ValueError:
            self.json = None


def pattern_of(method, path):
    path = urllib.parse.urlsplit(path).path
    for m, pattern, _ in ROUTES:
        wanted = "^" + re.escape(pattern).replace(r"\{\}", "[^/]+") \
            .replace(r"\{\*\}", ".+") + "$"
        if m == method and re.match(wanted, path):
            if "{}" in pattern and any(m == method and p == path
                                       for m, p, _ in ROUTES):
                continue
            return pattern
    return None


def call(method, path, body=None, key=ADMIN, headers=None):
    connection = http.client.HTTPConnection(HOST, timeout=30)
    send = dict(headers or {})
    if key:
        send.setdefault("x-api-key", key)
    if isinstance(body, (dict, list)):
        body = json.dumps(body, separators=(",", ":"))
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    connection.request(method, path, body, send)
    reply = Reply(connection.getresponse())
    connection.close()
    openapi.note_seen(DESCRIPTION, method, path, reply.status)
    for fault in DESCRIPTION.faults(method, path, reply.status, reply.headers,
                                    reply.data):
        undescribed.add("%s %s: %s" % (method, path.split("?")[0], fault))
    if reply.status < 400 or (path.startswith("/api/v1/ves/state")):
        called.add((method, pattern_of(method, path)))
        if isinstance(reply.json, dict) and reply.status < 400:
            compare((method, pattern_of(method, path)), reply.json)
    return reply


# ---- what doc/http.md says of an answer ---------------------------------------


class Shape:
    """A member list of doc/http.md: {a, b?, c:[{d}], e:{...}}."""

    def __init__(self, text):
        self.text, self.at = re.sub(r"\s+", " ", text), 0
        self.root = self.value()

    def skip(self, token):
        self.at += len(re.match(" *", self.text[self.at:]).group(0))
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def value(self):
        if self.skip("["):
            inner = None if self.skip("...") else self.value()
            assert self.skip("]"), self.text[self.at:]
            return [inner]
        assert self.skip("{"), self.text[self.at:]
        names, is_open = {}, False
        while not self.skip("}"):
            self.skip(",")
            if self.skip("..."):
                is_open = True
                continue
            self.skip("")
            name = re.match(r"[A-Za-z_]+", self.text[self.at:]).group(0)
            self.at += len(name)
            may_miss = self.skip("?")
            names[name] = (may_miss, self.value() if self.skip(":") else None)
        return (names, is_open)

    def faults(self, value, shape=None, where=""):
        shape = shape or self.root
        if value is None:
            return []
        if isinstance(shape, list):
            if not isinstance(value, list):
                return [where + ": no list"]
            return [f for i in value if shape[0] for f in self.faults(i, shape[0], where + "[]")]
        names, is_open = shape
        if not isinstance(value, dict):
            return [where + ": no object"]
        bad = [where + "/" + n + ": said, not answered"
               for n, (may_miss, _) in names.items()
               if n not in value and not may_miss]
        bad += [where + "/" + n + ": answered, not said"
                for n in value if n not in names and not is_open]
        for n, (_, inner) in names.items():
            if n in value and inner:
                bad += self.faults(value[n], inner, where + "/" + n)
        return bad


def read_shapes(path):
    shapes = {}
    for section in open(path, encoding="utf-8").read().split("\n### ")[1:]:
        title, _, body = section.partition("\n")
        body = body.split("\n## ")[0]
        said = re.findall(r"Answers\s+`(\{[^`]*\})`", body)
        assert len(said) <= 1, title
        if said:
            method, _, route = title.partition(" ")
            shapes[(method, re.sub(r"\{[^}]*\}", "{}", route))] = Shape(said[0])
    return shapes


SHAPES = read_shapes(sys.argv[5])
compared, different = set(), set()


def compare(route, document):
    """An answer, with what the document says of it."""
    if route not in SHAPES:
        different.add("%s %s: says nothing of its answer" % route)
        return
    compared.add(route)
    for fault in SHAPES[route].faults(document):
        different.add("%s %s %s" % (route + (fault,)))


def report(name, condition, detail=""):
    print("%s %s" % ("ok" if condition else "not ok", name))
    if not condition:
        print("# %s" % (detail,))


def expect(name, reply, status, code=None, words=None):
    """An answer with that status and, for errors, code and words."""
    good = reply.status == status
    document = reply.json if isinstance(reply.json, dict) else {}
    if code:
        good = good and document.get("code") == code
    if words:
        good = good and re.search(words, document.get("message") or "")
    if status >= 400 and document:
        good = good and bool(document.get("message"))
        error = document.get("error")
        if isinstance(error, dict):
            good = good and error["message"] == document["message"] and \
                error["code"] == document["code"]
    report(name, good, (reply.status, reply.data[:600]))
    return reply


def event(number, **changes):
    """The plain test event, v1, changed before or after it is signed."""
    after = changes.pop("after", {})
    e = v.make_event(SEED, TENANT, STORE, AGENT,
                     changes.pop("event_type", "inventory.adjusted"),
                     changes.pop("entity_id", "SKU-%d" % number),
                     changes.pop("payload", {"delta": number}), **changes)
    e.update(after)
    return e


def ingest(events, key=ADMIN, agent=AGENT, headers=None):
    return call("POST", "/api/v1/ves/events/ingest",
                {"agentId": agent, "events": events}, key, headers)


def head():
    return call("GET", "/api/v1/ves/head?" + STREAM).json["head_sequence"]


# ---- open routes, headers, methods ------------------------------------------


def check_manners():
    r = call("GET", "/health", key=None)
    report("health needs no key", r.status == 200 and
           r.json["status"] == "healthy" and r.json["version"], r.data)
    report("ready needs none either", call("GET", "/ready", key=None)
           .json["database"]["connected"] is True)
    r = call("GET", "/health", key=None, headers={"x-request-id": "till-7-42"})
    report("a request id comes back", r.headers["x-request-id"] == "till-7-42",
           r.headers)
    r = call("GET", "/health", key=None)
    report("else there is a fresh one",
           re.match(r"^[0-9a-f-]{36}$", r.headers["x-request-id"]), r.headers)
    report("and the other headers", r.headers["cache-control"] == "no-store" and
           r.headers["x-content-type-options"] == "nosniff" and
           "x-frame-options" in r.headers and
           r.headers["content-type"].startswith("application/json"), r.headers)
    r = call("HEAD", "/health", key=None)
    report("HEAD is GET without a body", r.status == 200 and not r.data and
           int(r.headers["content-length"]) > 0, r.headers)
    r = call("OPTIONS", "/api/v1/ves/events", key=None)
    report("OPTIONS tells the methods", "GET" in r.headers.get("allow", ""),
           (r.status, r.headers))
    r = expect("a method the path has not: 405",
               call("PUT", "/api/v1/ves/events?" + STREAM), 405)
    report("with Allow", "GET" in r.headers.get("allow", ""), r.headers)
    for path in ("/", "/api", "/api/v1/ves/nothing", "/api/v1/ves/events/",
                 "/api/v1/ves/../ves/head", "/%2e%2e/etc/passwd"):
        expect("no such route: %s" % path, call("GET", path), 404)
    expect("metrics are for operators", call("GET", "/metrics", key=None), 401)
    text = call("GET", "/metrics").data.decode()
    report("metrics are Prometheus text", all(
        re.match(r"^(# (HELP|TYPE) \w+ .*|\w+(\{[^}]*\})? [0-9.e+-]+|)$", line)
        for line in text.split("\n")) and text.count("# TYPE") > 5, text[:500])
    report("health in detail", call("GET", "/health/detailed").json["database"]
           ["connected"] is True)


# ---- credentials -------------------------------------------------------------


def make_key(**what):
    body = {"tenantId": TENANT, "rights": ["read"], "label": "test"}
    body.update(what)
    return call("POST", "/api/v1/api-keys", body)


def soon(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + \
        datetime.timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_credentials():
    keys = {}
    for name, what in (("reader", {}),
                       ("writer", {"rights": ["read", "write"],
                                   "storeId": STORE, "agentId": AGENT}),
                       ("elsewhere", {"tenantId": str(uuid.uuid4()),
                                      "rights": ["read", "write", "admin"]}),
                       ("other-store", {"rights": ["read", "write"],
                                        "storeId": str(uuid.uuid4())}),
                       ("short", {"expiresAt": soon(0.3)}),
                       ("revoked", {})):
        r = make_key(**what)
        keys[name] = r.json["apiKey"]
        if name == "revoked":
            gone = r.json["id"]
    made = time.time()
    report("keys begin with ss_", all(k.startswith("ss_")
                                      for k in keys.values()))
    rows = [bytes(r[0]) for r in HUB.execute("SELECT key_hash FROM ves_api_keys")]
    report("only their SHA-256 is kept", v.sha256(keys["reader"].encode()) in rows)
    listed = call("GET", "/api/v1/api-keys?tenant_id=" + TENANT)
    report("a list of them does not show them", listed.json["count"] == 5 and
           not any(k.encode() in listed.data for k in keys.values()),
           listed.data)
    expect("a key is taken back", call("DELETE", "/api/v1/api-keys/" + gone), 200)
    expect("there is none of that name",
           call("DELETE", "/api/v1/api-keys/0000000000000000"), 404)
    path = "/api/v1/ves/head?" + STREAM
    expect("no key", call("GET", path, key=None), 401, "missing_auth")
    expect("a wrong key", call("GET", path, key="ss_" + "x" * 40), 401,
           "invalid_api_key")
    expect("a key of another make", call("GET", path, key="dev_admin_key"), 401,
           "invalid_api_key")
    expect("a revoked key", call("GET", path, key=keys["revoked"]), 401,
           "invalid_api_key")
    expect("a JWT, which nobody set up", call(
        "GET", path, key=None,
        headers={"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"}), 401,
        "invalid_jwt")
    for form in ("ApiKey %s", "apikey %s", "%s", "Bearer %s"):
        expect("Authorization: " + form % "ss_...", call(
            "GET", path, key=None,
            headers={"Authorization": form % keys["reader"]}), 200)
    expect("a key of another tenant", call("GET", path, key=keys["elsewhere"]),
           403, "insufficient_permissions")
    expect("a key of another store", call("GET", path, key=keys["other-store"]),
           403, "store_access_denied")
    time.sleep(max(0, 0.35 - (time.time() - made)))
    expect("an expired key", call("GET", path, key=keys["short"]), 401,
           "token_expired")
    expect("a tenant's administrator makes no keys for another tenant",
           call("POST", "/api/v1/api-keys",
                {"tenantId": TENANT, "rights": ["admin"]}, keys["elsewhere"]),
           403)
    expect("rights that are none", make_key(rights=["everything"]), 400)
    expect("nobody locks the last administrator out", call(
        "DELETE", "/api/v1/api-keys/" + v.sha256(ADMIN.encode()).hex()[:16]), 409)
    return keys


def check_table(keys):
    """The whole table without a key, and with one that lacks the right."""
    fill = {"entities": "order", "cursors": AGENT, "commitments": str(uuid.uuid4()),
            "proofs": "1", "agents": AGENT, "keys": "1", "api-keys": "0" * 16}
    wrong = []
    for method, pattern, access in ROUTES:
        parts = pattern.split("/")
        for i, part in enumerate(parts):
            if part in ("{}", "{*}"):
                parts[i] = fill.get(parts[i - 1], "X")
        path = "/".join(parts) + "?" + STREAM
        without = call(method, path, b"{}" if method != "GET" else None, None)
        if (without.status == 401) == (access == "OPEN"):
            wrong.append((method, pattern, access, without.status))
        if access in ("WRITE", "ADMIN"):
            r = call(method, path, b"{}" if method != "GET" else None,
                     keys["reader"])
            if r.status != 403:
                wrong.append((method, pattern, "reader", r.status, r.data))
    report("every route wants what its table says (%d routes)" % len(ROUTES),
           not wrong and len(ROUTES) > 25, wrong)


# ---- keys --------------------------------------------------------------------


def check_agent_keys():
    key = v.public_key(SEED)
    pop = v.sign(SEED, v.sha256(b"VES_POP_V1", key)).hex()
    camel = {"tenantId": TENANT, "agentId": AGENT, "keyId": 1,
             "publicKey": key.hex(), "keyAlgorithm": 1,
             "proofOfPossessionBundle": {"ed25519Pop": pop}}
    bad = dict(camel, proofOfPossessionBundle={"ed25519Pop": "00" * 64})
    expect("a proof of possession that is none",
           call("POST", "/api/v1/agents/keys", bad), 400, words="possession")
    r = expect("a key is registered (camelCase, with proof of possession)",
               call("POST", "/api/v1/agents/keys", camel), 200)
    report("as the protocol has it", r.json["success"] is True, r.data)
    expect("the same again", call("POST", "/api/v1/agents/keys", camel), 200)
    other = v.public_key(b"\x08" * 32)
    snake = {"tenant_id": TENANT, "agent_id": AGENT, "key_id": 2,
             "public_key": "0x" + other.hex(), "key_type": "signing"}
    expect("another (snake_case)", call("POST", "/api/v1/agents/keys", snake), 200)
    expect("another key under the same number: 409", call(
        "POST", "/api/v1/agents/keys",
        dict(camel, publicKey=other.hex(), proofOfPossessionBundle=None)), 409)
    expect("a key that is no point", call(
        "POST", "/api/v1/agents/keys", dict(snake, key_id=3,
                                            public_key="02" + "00" * 31)), 400)
    expect("a key of small order", call(
        "POST", "/api/v1/agents/keys", dict(snake, key_id=3,
                                            public_key="01" + "00" * 31)), 400)
    expect("a key that is too short", call(
        "POST", "/api/v1/agents/keys", dict(snake, key_id=3,
                                            public_key="0102")), 400)
    expect("a body that is cut", call("POST", "/api/v1/agents/keys",
                                      '{"tenantId":"'), 400, words="byte|offset")
    expect("a body with a member twice", call(
        "POST", "/api/v1/agents/keys", '{"keyId":1,"keyId":2}'), 400)


def check_directories(keys):
    signer = v.sequencer_keys(HUB)

    def signed(document):
        body = {k: x for k, x in document.items() if k != "directorySignature"}
        h = v.sha256(b"VES_KEYDIR_V1", v.jcs(body).encode())
        return v.verify(signer[max(signer)], h,
                        v.unhex(document["directorySignature"]))

    d = call("GET", "/api/v1/ves/keys?" + STREAM, key=keys["reader"]).json
    report("the stream's directory is signed", signed(d), d)
    report("every entry says from where to where", [
        (k["keyId"], k["validFromSequence"], k["revokedAtSequence"],
         k["registrar"]) for k in d["keys"]] ==
        [(1, 1, None, "admin"), (2, 1, None, "admin")], d)
    d = call("GET", "/api/v1/agents/%s/signing-keys?tenant_id=%s" %
             (AGENT, TENANT), key=keys["reader"]).json
    report("so is an agent's", signed(d) and d["agentId"] == AGENT and
           [k["keyId"] for k in d["keys"]] == [1, 2] and
           d["keys"][0]["publicKeyBundle"] is None, d)
    d = call("GET", "/api/v1/ves/sequencer-keys", key=keys["reader"]).json
    report("the sequencer's own keys", {k["version"]: v.unhex(k["publicKey"])
                                        for k in d["keys"]} == signer, d)
    expect("a stream must be named", call("GET", "/api/v1/ves/keys?tenant_id=" +
                                          TENANT), 400, words="store_id")
    expect("with a UUID", call("GET", "/api/v1/ves/head?tenant_id=x&store_id=y"),
           400, words="tenant_id")


# ---- ingest ------------------------------------------------------------------


def receipts_hold(reply, events):
    signer = v.sequencer_keys(HUB)
    by_id = {e["event_id"]: e for e in events}
    for r in reply.json.get("receipts", []):
        e = by_id[r["eventId"]]
        h = v.receipt_hash(e, r["sequenceNumber"])
        if r["receiptHash"] != h.hex() or not v.verify(
                signer[r["sequencerKeyVersion"]], h,
                bytes.fromhex(r["sequencerSignature"])):
            return False
    return True


def check_ingest(keys):
    one = [event(1, version=1), event(2), event(3, command=str(uuid.uuid4())),
           event(4, base=0)]
    r = expect("events of both signing versions", ingest(one, keys["writer"]), 200)
    report("are taken, in one contiguous range", r.json["eventsAccepted"] == 4 and
           (r.json["sequenceStart"], r.json["sequenceEnd"]) == (1, 4) and
           r.json["headSequence"] == 4, r.data)
    report("with receipts that verify", len(r.json["receipts"]) == 4 and
           receipts_hold(r, one))
    report("and verdicts", [x["verdict"] for x in r.json["verdicts"]] ==
           ["applied"] * 4, r.data)
    again = ingest(one, keys["writer"])
    report("the same again: the same receipts", again.json["receipts"] ==
           r.json["receipts"], again.data)
    report("x-api-key: replays count as accepted, with the original range",
           (again.json["eventsAccepted"], again.json["sequenceStart"],
            again.json["sequenceEnd"]) == (4, 1, 4), again.data)
    again = ingest(one, None, headers={"Authorization":
                                       "ApiKey " + keys["writer"]})
    report("ApiKey: they count as nothing new",
           (again.json["eventsAccepted"], again.json["eventsRejected"],
            again.json["sequenceStart"]) == (0, 0, None) and
           len(again.json["receipts"]) == 4, again.data)
    mixed = [one[1], event(5), one[3]]
    r = ingest(mixed, keys["writer"])
    report("old and new together", r.json["headSequence"] == 5 and
           sorted(x["sequenceNumber"] for x in r.json["receipts"]) == [2, 4, 5],
           r.data)
    return one


BAD = []


def bad_events(one):
    """(name, element as text, reason) -- each to be refused alone."""
    good = event(50)

    def raw(e):
        return json.dumps(e, separators=(",", ":"), ensure_ascii=False)

    out = [
        ("a signature of nobody", raw(event(10, after={
            "agent_signature": "0x" + "11" * 64})), "invalid_signature"),
        ("a payload that was changed", raw(event(11, after={
            "payload": {"delta": 12}})), "invalid_payload_hash"),
        ("a cipher hash on a plain event", raw(event(12, after={
            "payload_cipher_hash": "0x" + "22" * 32})), "schema_validation"),
        ("a key that is not registered", raw(event(13, key_id=9)),
         "agent_key_invalid: Agent key not found"),
        ("another key of the agent's", raw(event(14, key_id=2)),
         "invalid_signature"),
        ("an id that is taken", raw(event(15, event_id=one[0]["event_id"])),
         "duplicate_event_id"),
        ("a command that was carried out", raw(event(
            16, command=one[2]["command_id"])), "duplicate_command_id"),
        ("a stale base", raw(event(4, base=0)), "version_conflict"),
        ("a future base", raw(event(4, base=9)), "version_conflict"),
        ("a system's type", raw(event(17, event_type="ves.note")),
         "reserved_type"),
        ("version 3", raw(event(18, version=3)), "unsupported_version"),
        ("seen beyond the head", raw(event(19, payload={"delta": 1, "_ves": {
            "v": 1, "agent_seq": 1, "seen": 1000000, "hlc": "01a2049f0000-0000",
            "schema": "inventory.adjusted/1"}})), "seen_beyond_head"),
        ("no entity", raw(event(20, entity_id="")), "schema_validation"),
        ("an entity id of 513 bytes", raw(event(21, entity_id="x" * 513)),
         "schema_validation"),
        ("a time that is none", raw(event(22, created_at="yesterday")),
         "schema_validation"),
        ("no payload", raw({k: x for k, x in good.items() if k != "payload"}),
         "schema_validation"),
        ("a member twice", raw(good)[:-1] + ',"event_type":"x"}',
         "schema_validation"),
        ("a lone surrogate", raw(event(23)).replace('"delta"', r'"\ud800"'),
         "schema_validation"),
        ("a number beyond 2^53", raw(event(24)).replace(
            '"delta":24', '"delta":9007199254740993'), "schema_validation"),
        ("65 levels", raw(event(25)).replace(
            '"delta":25', '"delta":' + "[" * 65 + "]" * 65), "schema_validation"),
        ("not an object", "42", "schema_validation"),
        ("a payload over 1 MiB", raw(event(26, payload={"x": "y" * 1048600})),
         "schema_validation"),
    ]
    return out


def check_refusals(one, keys):
    bad = bad_events(one)
    fine = event(60)
    texts = [t for _, t, _ in bad]
    texts.insert(len(texts) // 2, json.dumps(fine))
    body = '{"agentId":"%s","events":[%s]}' % (AGENT, ",".join(texts))
    before = head()
    r = call("POST", "/api/v1/ves/events/ingest", body, None,
             {"Authorization": "ApiKey " + keys["writer"]})
    report("%d bad events around a good one: the good one is taken" % len(bad),
           r.status == 200 and r.json["eventsAccepted"] == 1 and
           r.json["eventsRejected"] == len(bad) and head() == before + 1,
           r.data[:2000])
    by_index = {x["index"]: x for x in r.json.get("rejections", [])}
    signer = v.sequencer_keys(HUB)
    for i, (name, element, reason) in enumerate(bad):
        index = i if i < len(bad) // 2 else i + 1
        got = by_index.get(index, {})
        h = v.refusal_hash(TENANT, STORE, element.encode("utf-8"),
                           got.get("reason", ""))
        ok = got.get("reason", "").startswith(reason) and got.get("message") and \
            v.verify(signer[max(signer)], h,
                     bytes.fromhex(got.get("refusalSignature", "00" * 64)))
        report("refused, signed: " + name, ok, got)
    listed = call("GET", "/api/v1/ves/refusals?%s&limit=1000" % STREAM)
    kept = {base64.b64decode(x["element"]): x for x in listed.json["refusals"]} \
        if listed.json and listed.json["refusals"] and \
        "element" in listed.json["refusals"][0] else {}
    report("all are listed with their bytes", all(
        t.encode() in kept for _, t, _ in bad), listed.data[:600])
    js = call("POST", "/api/v1/ves/events/ingest",
              '{"agentId":"%s","events":[%s]}' % (AGENT, texts[0]),
              keys["writer"]).json["rejections"][0]
    rust = r.json["rejections"][0]
    report("spelling by caller: event_id and message, or eventId",
           "event_id" in rust and "eventId" not in rust and "message" in rust and
           "eventId" in js and "event_id" not in js and "message" not in js,
           (rust, js))
    nothing = call("GET", "/api/v1/ves/refusals?%s&limit=0" % STREAM)
    expect("a limit of 0", nothing, 400, words="limit")


def check_whole_requests(keys):
    before = head()
    one, key = event(70), keys["writer"]
    other = dict(event(71), store_id=str(uuid.uuid4()))
    path = "/api/v1/ves/events/ingest"
    text = json.dumps(one)
    for name, body, status, words in (
            ("no events", {"agentId": AGENT, "events": []}, 400, "no events"),
            ("no agent", {"events": [one]}, 400, "agentId"),
            ("nothing at all", b"", 400, "byte"),
            ("no JSON", b"hello", 400, "byte 0"),
            ("a list", [one], 400, "object"),
            ("cut in an event", '{"agentId":"%s","events":[%s' %
             (AGENT, text[:100]), 400, r"at byte \d+"),
            ("cut between events", '{"agentId":"%s","events":[%s,' %
             (AGENT, text), 400, r"at byte \d+"),
            ("something after it", '{"agentId":"%s","events":[%s]} x' %
             (AGENT, text), 400, "follows"),
            ("events twice", '{"agentId":"%s","events":[%s],"events":[]}' %
             (AGENT, text), 400, "twice"),
            ("two streams", {"agentId": AGENT, "events": [one, other]}, 400,
             "one stream"),
            ("another agent's event", {"agentId": AGENT, "events": [
                one, dict(one, source_agent_id=str(uuid.uuid4()))]}, 400,
             "source_agent_id"),
            ("in the name of another agent", {"agentId": str(uuid.uuid4()),
                                              "events": [one]}, 403, "agent"),
            ("1,001 events", {"agentId": AGENT, "events": [one] * 1001}, 413,
             "1000")):
        r = call("POST", path, body, key)
        expect("a request fails whole: " + name, r, status, words=words)
    expect("a reader may not write", call("POST", path, {
        "agentId": AGENT, "events": [one]}, keys["reader"]), 403)
    expect("nor a writer of another store", call("POST", path, {
        "agentId": AGENT, "events": [one]}, keys["other-store"]), 403)
    report("nothing of these was stored", head() == before, head())
    # Chunked, as curl sends from a pipe.
    connection = http.client.HTTPConnection(HOST, timeout=30)
    body = json.dumps({"agentId": AGENT, "events": [one]}).encode()
    connection.request("POST", path, iter([body[:100], body[100:]]),
                       {"x-api-key": key}, encode_chunked=True)
    report("a chunked body is a body", Reply(connection.getresponse())
           .json["eventsAccepted"] == 1)


# ---- reading -----------------------------------------------------------------


def check_reads(keys):
    signer, key = v.sequencer_keys(HUB), keys["reader"]
    total = head()
    page = call("GET", "/api/v1/ves/events?%s&from=2&limit=3&receipts=1" % STREAM,
                key=key).json
    report("a page", [x["envelope"]["sequence_number"] for x in page["events"]] ==
           [2, 3, 4] and page["count"] == 3 and page["next_sequence"] == 5 and
           page["head_sequence"] == total and page["has_more"] is True, page)
    report("its receipts verify", all(
        v.verify(signer[x["receipt"]["sequencerKeyVersion"]],
                 v.receipt_hash(x["envelope"], x["envelope"]["sequence_number"]),
                 bytes.fromhex(x["receipt"]["sequencerSignature"]))
        for x in page["events"]))
    report("its events verify", all(
        v.verify(v.public_key(SEED), v.event_hash(x["envelope"]),
                 v.unhex(x["envelope"]["agent_signature"])) and
        v.payload_hash(x["envelope"]["payload"]).hex() in
        x["envelope"]["payload_plain_hash"] for x in page["events"]))
    plain = call("GET", "/api/v1/ves/events?" + STREAM, key=key).json
    report("without asking there are no receipts", len(plain["events"]) == total
           and not any("receipt" in x for x in plain["events"]))
    report("from=0 is from=1", call("GET", "/api/v1/ves/events?%s&from=0&limit=1"
                                    % STREAM).json["events"][0]["envelope"]
           ["sequence_number"] == 1)
    beyond = call("GET", "/api/v1/ves/events?%s&from=%d" % (STREAM, total + 1)).json
    report("beyond the head there is nothing", beyond["events"] == [] and
           beyond["has_more"] is False and beyond["head_sequence"] == total)
    for query in ("limit=0", "limit=x", "from=-1", "from=99999999999999999999"):
        expect("a parameter that is none: " + query,
               call("GET", "/api/v1/ves/events?%s&%s" % (STREAM, query)), 400,
               words=query.split("=")[0])
    report("a limit above the limit is cut", call(
        "GET", "/api/v1/ves/events?%s&limit=100000" % STREAM).status == 200)
    empty = "tenant_id=%s&store_id=%s" % (TENANT, uuid.uuid4())
    report("a stream without events is empty", call(
        "GET", "/api/v1/ves/events?" + empty).json["events"] == [])
    entity = call("GET", "/api/v1/ves/entities/inventory/SKU-4?" + STREAM,
                  key=key).json
    report("an entity's events", entity["total"] == 1 and
           entity["current_version"] == 1 and
           entity["events"][0]["envelope"]["entity_id"] == "SKU-4", entity)
    odd = event(80, entity_id="a/b c?%ü")
    ingest([odd], keys["writer"])
    r = call("GET", "/api/v1/ves/entities/inventory/%s?%s" %
             (urllib.parse.quote("a/b c?%ü", safe=""), STREAM), key=key)
    report("an id with everything in it", r.status == 200 and
           r.json["total"] == 1 and r.json["entity_id"] == "a/b c?%ü", r.data)
    expect("an id that is not percent-encoded right", call(
        "GET", "/api/v1/ves/entities/inventory/%zz?" + STREAM), 400)
    expect("the sequencer does not fold", call("GET", "/api/v1/ves/state?" +
                                               STREAM), 404)
    check_cursors(keys)
    check_policy(keys)


def check_following():
    """A stream has no end: its first events are read, then it is left."""
    path = "/api/v1/ves/events/stream"
    seen = []
    for more in ("&receipts=1", "&heads=1"):
        connection = http.client.HTTPConnection(HOST, timeout=30)
        connection.request("GET", path + "?" + STREAM + more,
                           headers={"x-api-key": ADMIN, "Last-Event-ID": "0"})
        answer, fields = connection.getresponse(), {}
        called.add(("GET", path))
        openapi.note_seen(DESCRIPTION, "GET", path, answer.status)
        seen.append((answer.status, answer.getheader("content-type")))
        while "data" not in fields:
            name, _, value = answer.readline().decode().rstrip("\n").partition(": ")
            fields[name] = value
        data = json.loads(fields["data"])
        if "envelope" in data:
            seen.append((fields["id"], data["envelope"]["sequence_number"],
                         sorted(data)))
        else:
            seen.append((fields["event"], int(fields["id"]) == head(),
                         data == {"head_sequence": head()}))
        connection.close()
    right = (200, "text/event-stream")
    report("a stream of events begins where it is asked to", seen == [
        right, ("1", 1, ["envelope", "receipt"]), right,
        ("head", True, True)], seen)


def check_cursors(keys):
    path, key = "/api/v1/ves/cursors/%s" % AGENT, keys["writer"]

    def put(n, k=key, agent_path=path):
        return call("PUT", agent_path, {"tenantId": TENANT, "storeId": STORE,
                                        "sequenceNumber": n}, k)

    r = call("GET", path + "?" + STREAM, key=key)
    report("a cursor begins at 0", r.json["acknowledgedSequence"] == 0 and
           r.json["updatedAt"] is None and r.json["lag"] == head(), r.data)
    report("it moves", put(3).json["acknowledgedSequence"] == 3)
    report("never back", put(2).json["acknowledgedSequence"] == 3)
    expect("not beyond the head", put(10**6), 400)
    expect("another agent's is its own business", put(
        1, key, "/api/v1/ves/cursors/%s" % uuid.uuid4()), 403)
    expect("a reader's neither", call("GET", path + "?" + STREAM,
                                      key=keys["reader"]), 403)
    expect("an administrator may look", call("GET", path + "?" + STREAM), 200)


def check_policy(keys):
    """What an agent may send, as an administrator says it."""
    agent, seed = str(uuid.uuid4()), b"\x2a" * 32
    tenant, store = str(uuid.uuid4()), str(uuid.uuid4())
    path = "/api/v1/agents/%s/policy" % agent
    query = path + "?tenant_id=" + tenant
    lists = {"allowedEventTypes": ["order.*", "a.b", "order.*"],
             "allowedEntityTypes": ["order"]}

    def put(key=ADMIN, where=path, of=tenant, **change):
        return call("PUT", where, dict(lists, tenantId=of, **change), key)

    def reasons(*types):
        events = [v.make_event(seed, tenant, store, agent, t, "P-%d" % n, {"n": n})
                  for n, t in enumerate(types)]
        r = call("POST", "/api/v1/ves/events/ingest",
                 {"agentId": agent, "events": events})
        return [x["reason"] for x in r.json.get("rejections", [])], events

    call("POST", "/api/v1/agents/keys", {
        "tenantId": tenant, "agentId": agent, "keyId": 1,
        "publicKey": v.public_key(seed).hex()})
    expect("an agent has no policy at first", call("GET", query), 404)
    first, events = reasons("order.created", "customer.created")
    report("and may send what it likes", first == [], first)
    r = put(maxPayloadBytes=100)
    want = {"tenantId": tenant, "agentId": agent, "enabled": True,
            "requireBaseVersion": True, "maxPayloadBytes": 100,
            "allowedEventTypes": ["a.b", "order.*"],
            "allowedEntityTypes": ["order"]}
    report("a policy is set; its rules are sorted, each once",
           {k: x for k, x in r.json.items() if k != "updatedAt"} == want, r.data)
    report("and read again", call("GET", query).json == r.json)
    got, _ = reasons("order.created", "customer.created", "order.updated")
    report("it is held to it, one by one", got == [
        "policy_violation: event type not allowed",
        "policy_violation: base_version required"], got)
    r = call("POST", "/api/v1/ves/events/ingest",
             {"agentId": agent, "events": events})
    report("what was taken before gets its receipts again", r.status == 200 and
           len(r.json["receipts"]) == 2 and not r.json.get("rejections"), r.data)
    r = call("PUT", path, {"tenant_id": tenant, "allowed_event_types": [],
                           "allowed_entity_types": [], "enabled": False})
    report("snake_case, and off", r.json["enabled"] is False, r.data)
    report("a policy that is off is not asked", reasons("x.y")[0] == [])
    for what, change, word in (
            ("a list that is none", {"allowedEventTypes": "*"}, "allowedEventTypes"),
            ("a star in the middle", {"allowedEntityTypes": ["a*b"]},
             "allowedEntityTypes"),
            ("too many rules", {"allowedEventTypes": ["r%d" % n for n in range(129)]},
             "128"),
            ("no bytes at all", {"maxPayloadBytes": 0}, "maxPayloadBytes"),
            ("a member nobody knows", {"denied": []}, "denied"),
            ("another agent's id", {"agentId": AGENT}, "agentId")):
        body = dict(dict(lists, tenantId=tenant), **change)
        expect("of a policy: " + what, call("PUT", path, body), 400, words=word)
    expect("nobody rules the sequencer's own events", put(
        where="/api/v1/agents/%s/policy" % sequencer_id()), 400, words="own")
    for who in ("reader", "writer"):
        expect("a %s sets no policy" % who, put(keys[who], of=TENANT), 403)
        expect("nor reads one", call("GET", path + "?tenant_id=" + TENANT,
                                     key=keys[who]), 403)
    expect("nor another tenant's administrator", put(keys["elsewhere"]), 403)


def sequencer_id():
    return call("GET", "/health/detailed").json["sequencerId"]


def check_legacy(key):
    batch = call("GET", "/api/v1/ves/commitments?" + STREAM).json["commitments"][0]
    for path in ("/api/v1/events?%s&from=1&limit=2" % STREAM,
                 "/api/v1/commitments/" + batch["batch_id"],
                 "/api/v1/head?" + STREAM,
                 "/api/v1/entities/inventory/SKU-4?" + STREAM):
        r = call("GET", path, key=key)
        report("the older name %s says that it is old" % path.split("?")[0],
               r.status == 200 and r.headers.get("deprecation") == "true" and
               "sunset" in r.headers and
               'rel="successor-version"' in r.headers.get("link", ""), r.headers)
    page = call("GET", "/api/v1/events?%s&limit=2" % STREAM, key=key).json
    item = page["events"][0]
    report("with what older clients read", "head_sequence" in page and
           item["envelope"]["source_agent"] == AGENT and "sequenced_at" in item
           and "receipt_hash" in item and "payload_plain_hash" in
           item["envelope"], item)
    flat = call("GET", "/api/v1/entities/inventory/SKU-4?" + STREAM,
                key=key).json["events"][0]
    report("entities flat", flat["source_agent"] == AGENT and
           flat["sequence_number"] == 4 and "envelope" in flat, flat)
    report("the newer names are not old", "deprecation" not in call(
        "GET", "/api/v1/ves/head?" + STREAM).headers)


# ---- commitments, proofs -----------------------------------------------------


def check_proofs(keys):
    def commit(start, end, key=keys["writer"]):
        return call("POST", "/api/v1/ves/commitments", {
            "tenant_id": TENANT, "store_id": STORE, "sequence_start": start,
            "sequence_end": end}, key)

    expect("the first commitment must start at 1", commit(2, 3), 400)
    expect("not beyond the head", commit(1, 10**6), 400)
    first = expect("a commitment", commit(1, 3), 200).json
    page = call("GET", "/api/v1/ves/events?%s&limit=6" % STREAM).json["events"]
    leaves = [v.leaf_hash(x["envelope"], i + 1) for i, x in enumerate(page)]
    root = v.merkle_root(leaves[:3])
    report("its root is the tree's", first["merkle_root"] == root.hex() and
           first["leaf_count"] == 3 and first["padded_leaf_count"] == 4, first)
    state = v.sha256(b"VES_STATE_ROOT_V1", v.stream_id(TENANT, STORE), b"\0" * 32,
                     root, v.u64(1), v.u64(3), v.u32(3))
    report("its state root is chained from nothing",
           first["new_state_root"] == state.hex(), first)
    report("the same again is the same", commit(1, 3).json["batch_id"] ==
           first["batch_id"])
    expect("another end for it", commit(1, 4), 400)
    expect("a gap", commit(5, 6), 400)
    second = commit(4, 6).json
    report("the next is chained to it", second["prev_state_root"] ==
           first["new_state_root"], second)
    expect("a reader commits nothing", commit(7, 7, keys["reader"]), 403)
    listed = call("GET", "/api/v1/ves/commitments?" + STREAM,
                  key=keys["reader"]).json
    report("both are listed", [x["batch_id"] for x in listed["commitments"]] ==
           [first["batch_id"], second["batch_id"]], listed)
    report("and found", call("GET", "/api/v1/ves/commitments/" +
                             first["batch_id"], key=keys["reader"])
           .json["merkle_root"] == first["merkle_root"])
    expect("one that is not there", call("GET", "/api/v1/ves/commitments/%s" %
                                         uuid.uuid4()), 404)
    expect("another tenant does not see it", call(
        "GET", "/api/v1/ves/commitments/" + first["batch_id"],
        key=keys["elsewhere"]), 404)
    for sequence in (1, 2, 3, 5):
        p = call("GET", "/api/v1/ves/proofs/%d?%s" % (sequence, STREAM),
                 key=keys["reader"]).json
        h, index = bytes.fromhex(p["leaf_hash"]), p["leaf_index"]
        for sibling, is_left in zip(p["proof_path"], p["directions"]):
            other = bytes.fromhex(sibling)
            h = v.node_hash(h, other) if is_left else v.node_hash(other, h)
        report("the proof of number %d" % sequence, h.hex() == p["merkle_root"] and
               p["leaf_hash"] == leaves[sequence - 1].hex(), p)
    expect("no commitment covers it yet", call(
        "GET", "/api/v1/ves/proofs/7?" + STREAM), 404)
    expect("a number that is none", call("GET", "/api/v1/ves/proofs/0?" + STREAM),
           400)
    expect("a commitment that does not cover it", call(
        "GET", "/api/v1/ves/proofs/1?%s&batch_id=%s" %
        (STREAM, second["batch_id"])), 400)
    p = call("GET", "/api/v1/ves/proofs/2?" + STREAM).json

    def verdict(**change):
        body = {k: p[k] for k in ("leaf_hash", "merkle_root", "proof_path",
                                  "leaf_index")}
        body.update(change)
        r = call("POST", "/api/v1/ves/proofs/verify", body, keys["reader"])
        return r.json.get("valid") if r.status == 200 else r.status

    report("a proof is verified", verdict() is True)
    report("a false one is not", verdict(leaf_hash="00" * 32) is False and
           verdict(leaf_index=2) is False and
           verdict(proof_path=p["proof_path"][::-1]) is False)
    report("an index with bits to spare is not",
           verdict(leaf_index=p["leaf_index"] + 4) in (False, 400))
    report("a path without end is not", verdict(
        proof_path=p["proof_path"][:1] * 65) in (False, 400))


def tree_root(hashes):
    """RFC 6962 2.1, read literally."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return v.sha256(b"\1", tree_root(hashes[:k]), tree_root(hashes[k:]))


def inclusion_path(index, hashes):
    if len(hashes) == 1:
        return []
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    if index < k:
        return inclusion_path(index, hashes[:k]) + [tree_root(hashes[k:])]
    return inclusion_path(index - k, hashes[k:]) + [tree_root(hashes[:k])]


def check_log(keys):
    """The provable log, computed again from the bundle of entries."""
    about = expect("what a log is called", call(
        "GET", "/api/v1/ves/log?" + STREAM, key=keys["reader"]), 200).json
    prefix, n = about["prefix"], about["size"]
    for _ in range(600):
        note = call("GET", prefix + "/checkpoint", key=keys["reader"])
        if note.status == 200 and int(note.data.split(b"\n")[1]) == n:
            break
        time.sleep(0.05)
    text, _, line = note.data.partition(b"\n\n")
    origin, size, root = text.decode().split("\n")
    report("its head covers all events", int(size) == n, note.data)
    report("under its name", origin == about["origin"], about)
    # A name has no "+", base64 may.
    name, key_id, key = about["vkeys"][-1].split("+", 2)
    key = base64.b64decode(key)
    payload = base64.b64decode(line.split(b" ")[2])
    report("signed by its key", name == origin and payload[:4].hex() == key_id and
           v.sha256(name.encode() + b"\n" + key)[:4] == payload[:4] and
           v.verify(key[1:], text + b"\n", payload[4:]), note.data)
    tail = "" if n == 256 else ".p/%d" % n
    bundle = call("GET", prefix + "/tile/entries/000" + tail,
                  key=keys["reader"]).data
    leaves = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        leaves.append(v.sha256(b"\0", bundle[2:2 + length]))
        bundle = bundle[2 + length:]
    report("the entries make its root", len(leaves) == n and
           base64.b64decode(root) == tree_root(leaves))
    report("the tile holds their hashes", call(
        "GET", prefix + "/tile/0/000" + tail, key=keys["reader"]).data ==
        b"".join(leaves))
    good = True
    for sequence in range(1, n + 1):
        p = call("GET", prefix + "/inclusion/%d" % sequence, key=keys["reader"])
        good = good and [bytes.fromhex(x) for x in p.json["path"]] == \
            inclusion_path(sequence - 1, leaves)
    report("every inclusion path is RFC 6962's", good)
    p = call("GET", prefix + "/proof/1", key=keys["reader"]).data
    report("a proof file ends with the head", p.endswith(note.data) and
           p.startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n"), p)
    p = call("GET", prefix + "/consistency?from=1", key=keys["reader"]).json
    report("consistency names both roots", p["fromRoot"] == leaves[0].hex() and
           p["toRoot"] == tree_root(leaves).hex() and
           [bytes.fromhex(x) for x in p["path"]] == inclusion_path(0, leaves), p)
    for what, path, status in (
            ("a size beyond the head", "/inclusion/1?size=%d" % (n + 1), 400),
            ("an event beyond it", "/inclusion/%d" % (n + 1), 404),
            ("number 0", "/inclusion/0", 400),
            ("a path with a dot", "/tile/0/000.p/0", 400),
            ("a tile of another level", "/tile/1/000", 404),
            ("no tile", "/tile/0/000.p/01", 400),
            ("from after to", "/consistency?from=3&to=2", 400)):
        expect(what, call("GET", prefix + path, key=keys["reader"]), status)
    expect("nobody cosigned it yet", call(
        "GET", prefix + "/witnessed", key=keys["reader"]), 404)
    for bad in ("", "x", base64.b64encode(note.data).decode()):
        expect("a cosignature that is none changes nothing", call(
            "GET", "/api/v1/ves/head?" + STREAM, key=keys["reader"],
            headers={"x-ves-cosignature": bad}), 200)
    seconds = int(time.time())
    name = origin.rsplit("/ves/", 1)[0] + "/agent/" + AGENT
    signature = v.sign(SEED, b"cosignature/v1\ntime %d\n" % seconds + text + b"\n")
    key_id = v.sha256(name.encode() + b"\n\x04" + v.public_key(SEED))[:4]
    word = b"\xe2\x80\x94 " + name.encode() + b" " + base64.b64encode(
        key_id + seconds.to_bytes(8, "big") + signature) + b"\n"
    expect("a cosignature", call(
        "GET", "/api/v1/ves/head?" + STREAM, key=keys["reader"],
        headers={"x-ves-cosignature": base64.b64encode(note.data + word).decode()}), 200)
    for _ in range(600):
        cosigned = call("GET", prefix + "/witnessed", key=keys["reader"])
        if cosigned.status == 200:
            break
        time.sleep(0.05)
    report("is given out with its head", cosigned.data == note.data + word and call(
        "GET", prefix + "/checkpoint", key=keys["reader"]).data == cosigned.data,
        cosigned.data)
    report("and in proof files", call(
        "GET", prefix + "/proof/1", key=keys["reader"]).data.endswith(cosigned.data))
    expect("another tenant does not see the log", call(
        "GET", prefix + "/checkpoint", key=keys["elsewhere"]), 404)
    known = {"x-ves-known-head": base64.b64encode(note.data).decode()}
    expect("a head it has", call("GET", "/api/v1/ves/head?" + STREAM,
                                 key=keys["reader"], headers=known), 200)
    for bad in ("", "x", "AAAA", base64.b64encode(
            note.data.replace(b"\n%d\n" % n, b"\n%d\n" % (n + 1))).decode()):
        expect("a head nobody signed (%s)" % bad[:8], call(
            "GET", "/api/v1/ves/head?" + STREAM, key=keys["reader"],
            headers={"x-ves-known-head": bad}), 400)


def check_revoking(one, keys):
    before = head()
    expect("only an administrator revokes", call(
        "DELETE", "/api/v1/agents/%s/keys/1?tenant_id=%s" % (AGENT, TENANT),
        key=keys["writer"]), 403)
    expect("a key is revoked", call(
        "DELETE", "/api/v1/agents/%s/keys/1?tenant_id=%s" % (AGENT, TENANT)), 200)
    r = ingest([event(90)], keys["writer"])
    report("later events of it are refused", r.json["rejections"][0]["reason"] ==
           "agent_key_invalid: Agent key has been revoked", r.data)
    r = ingest(one, keys["writer"])
    report("what was taken keeps its receipt", len(r.json["receipts"]) == 4 and
           receipts_hold(r, one), r.data)
    keys_now = call("GET", "/api/v1/ves/keys?" + STREAM).json["keys"]
    report("the directory says where it ends", keys_now[0]["revokedAtSequence"] ==
           before + 1 and keys_now[0]["revokedAt"], keys_now)
    expect("a revoked key cannot be registered again as another", call(
        "POST", "/api/v1/agents/keys",
        {"tenantId": TENANT, "agentId": AGENT, "keyId": 1,
         "publicKey": v.public_key(b"\x09" * 32).hex()}), 409)


def check_invitations():
    owner, invited = b"\x0a" * 32, b"\x0b" * 32
    agent, number = str(uuid.uuid4()), str(uuid.uuid4())
    until = int(time.time() * 1000) + 60000
    ids = v.raw_uuid(TENANT) + v.raw_uuid(STORE) + v.raw_uuid(number)

    def invite(seed=owner, **change):
        rights = 3
        h = v.sha256(b"VES_INVITATION_V1", ids, v.public_key(invited),
                     v.u32(rights), v.u64(until))
        body = {"tenantId": TENANT, "storeId": STORE, "invitationId": number,
                "publicKey": v.public_key(invited).hex(),
                "ownerPublicKey": v.public_key(seed).hex(),
                "ownerSignature": v.sign(seed, h).hex(),
                "rights": ["read", "write"], "usesMax": 1, "expiresAtMs": until}
        body.update(change)
        return call("POST", "/api/v1/invitations", body)

    expect("an invitation its owner did not sign", invite(
        ownerSignature="00" * 64), 400, words="ownerSignature")
    expect("an invitation", invite(), 200)
    expect("the same again", invite(), 200)
    expect("another owner of the stream", invite(b"\x0c" * 32), 409,
           "owner_mismatch")
    expect("more rights than were signed", invite(rights=["read", "admin"]), 400)

    def redeem(by=invited, agent_seed=SEED, nonce=None, sent=None, **change):
        key = v.public_key(agent_seed)
        nonce = nonce or os.urandom(16)
        h = v.sha256(b"VES_REDEEM_V2", ids, v.raw_uuid(agent), v.u32(1), key, nonce)
        body = {"tenantId": TENANT, "storeId": STORE, "invitationId": number,
                "agentId": agent, "keyId": 1, "publicKey": key.hex(),
                "invitationSignature": v.sign(by, h).hex(),
                "agentSignature": v.sign(agent_seed, h).hex(), "nonce": (sent or nonce).hex()}
        body.update(change)
        return call("POST", "/api/v1/invitations/redeem", body, None)

    def redeem_old():
        """As programs did that knew no nonce."""
        key = v.public_key(SEED)
        h = v.sha256(b"VES_REDEEM_V1", ids, v.raw_uuid(agent), v.u32(1), key)
        return call("POST", "/api/v1/invitations/redeem", {
            "tenantId": TENANT, "storeId": STORE, "invitationId": number,
            "agentId": agent, "keyId": 1, "publicKey": key.hex(),
            "invitationSignature": v.sign(invited, h).hex(),
            "agentSignature": v.sign(SEED, h).hex()}, None)

    expect("redeemed without the invitation's secret", redeem(b"\x0d" * 32), 403,
           "invalid_signature")
    expect("redeemed without the agent's", redeem(agentSignature="00" * 64), 403,
           "invalid_signature")
    expect("redeemed for another stream", redeem(storeId=str(uuid.uuid4())), 404)
    expect("redeemed over another nonce", redeem(sent=b"\1" * 16), 403, "invalid_signature")
    once = os.urandom(16)
    r = expect("redeemed", redeem(nonce=once), 200)
    expect("what it gives works", call("GET", "/api/v1/ves/head?" + STREAM,
                                       key=r.json["apiKey"]), 200)
    report("for that agent only", ingest([event(91)], r.json["apiKey"])
           .status == 403)
    expect("the same request, seen on the way and told again", redeem(nonce=once),
           409, "redeem_replayed")
    expect("takes no API key away", call("GET", "/api/v1/ves/head?" + STREAM,
                                         key=r.json["apiKey"]), 200)
    expect("nor does one without a nonce", redeem_old(), 409, "redeem_replayed")
    expect("another key for that agent", redeem(agent_seed=b"\x0e" * 32), 409,
           "agent_exists")
    again = redeem()
    report("a repeated redeem gives another API key", again.status == 200 and
           again.json["apiKey"] != r.json["apiKey"] and
           call("GET", "/api/v1/ves/head?" + STREAM,
                key=r.json["apiKey"]).status == 401, again.data)
    check_key_events(owner, agent, again.json["apiKey"])
    agent = str(uuid.uuid4())
    expect("another agent is too late", redeem(agent_seed=b"\x0f" * 32), 403,
           "invitation_used")


def check_key_events(owner, agent, api_key):
    """doc/adr/0025: in the log of a stream that has an owner."""
    stream = v.raw_uuid(TENANT) + v.raw_uuid(STORE)
    seeds = [bytes([0x60 + i]) * 32 for i in range(4)]

    def digest(i):
        return v.sha256(b"VES_KEY_NEXT_V1", v.public_key(seeds[i]))

    h = v.sha256(b"VES_KEY_REGISTER_V1", stream, v.raw_uuid(agent), v.u32(2),
                 v.public_key(seeds[0]), digest(1))
    body = {"tenantId": TENANT, "storeId": STORE, "agentId": agent, "keyId": 2,
            "publicKey": v.public_key(seeds[0]).hex(),
            "nextKeyDigest": digest(1).hex(),
            "ownerSignature": v.sign(owner, h).hex()}
    expect("a key by the owner's word", call("POST", "/api/v1/agents/keys", body),
           200)

    def rotate(old, new, key=api_key, **change):
        h = v.sha256(b"VES_KEY_ROTATE_V1", stream, v.raw_uuid(agent),
                     v.u32(old + 2), v.u32(old + 3), v.public_key(seeds[new]),
                     digest(3))
        body = {"tenantId": TENANT, "storeId": STORE, "previousKeyId": old + 2,
                "keyId": old + 3, "publicKey": v.public_key(seeds[new]).hex(),
                "nextKeyDigest": digest(3).hex(),
                "previousSignature": v.sign(seeds[old], h).hex(),
                "signature": v.sign(seeds[new], h).hex()}
        body.update(change)
        return call("POST", "/api/v1/agents/%s/key-rotations" % agent, body, key)

    expect("a rotation to a key that was not committed", rotate(0, 2), 409,
           "key_event_refused", words="not_the_committed_next_key")
    expect("a rotation without the old key", rotate(
        0, 1, previousSignature="00" * 64), 409, "key_event_refused")
    expect("a rotation that lacks a member", rotate(0, 1, keyId=None), 400)
    other = "/api/v1/agents/%s/key-rotations" % uuid.uuid4()
    expect("a rotation of another agent's key", call(
        "POST", other, {"tenantId": TENANT, "storeId": STORE,
                        "previousKeyId": 1, "keyId": 2, "publicKey": "00" * 32,
                        "previousSignature": "00" * 64, "signature": "00" * 64},
        api_key), 403)
    expect("a rotation", rotate(0, 1), 200)
    expect("the same again, its answer was lost", rotate(0, 1), 200)
    expect("the old key cannot rotate any more", rotate(0, 2), 409)

    def policy(strict, number, seed=owner):
        h = v.sha256(b"VES_KEY_POLICY_V1", stream, bytes([strict]),
                     v.u64(number))
        return call("POST", "/api/v1/ves/key-policy", {
            "tenantId": TENANT, "storeId": STORE, "strict": bool(strict),
            "number": number, "ownerSignature": v.sign(seed, h).hex()})

    expect("a policy its owner did not sign", policy(1, 1, seeds[0]), 409,
           "key_event_refused")
    expect("only the owner's keys", policy(1, 1), 200)
    plain = {"tenantId": TENANT, "storeId": STORE, "agentId": str(uuid.uuid4()),
             "keyId": 1, "publicKey": v.public_key(seeds[2]).hex()}
    r = call("POST", "/api/v1/agents/keys", plain)
    report("a key without the owner's word is refused", r.status in (403, 409,
                                                                    422), r.data)
    expect("an older word of his", policy(0, 1), 409)
    expect("others, too, again", policy(0, 2), 200)

    def revoke(key_id, seed=owner, **change):
        h = v.sha256(b"VES_KEY_REVOKE_V1", stream, v.raw_uuid(agent),
                     v.u32(key_id))
        body = {"tenantId": TENANT, "storeId": STORE, "agentId": agent,
                "keyId": key_id, "ownerSignature": v.sign(seed, h).hex()}
        body.update(change)
        return call("POST", "/api/v1/ves/key-revocations", body)

    expect("a revocation its owner did not sign", revoke(3, seeds[0]), 409,
           "key_event_refused", words="owner_signature_invalid")
    expect("of another key than he signed for", revoke(3, keyId=1), 409,
           "key_event_refused", words="owner_signature_invalid")
    expect("of a key that is not there", revoke(9), 409, "key_event_refused")
    expect("one that lacks a member", revoke(3, keyId=None), 400)
    expect("the owner's revocation", revoke(3), 200)
    expect("the same again", revoke(3), 200)
    events = call("GET", "/api/v1/ves/events?%s&from=1&limit=1000" %
                  STREAM).json["events"]
    kinds = [e["envelope"]["event_type"] for e in events
             if e["envelope"]["entity_id"] == "keys"]
    report("all of it is in the log", kinds[-5:] == [
        "ves.key.registered", "ves.key.rotated", "ves.key.policy",
        "ves.key.policy", "ves.key.revoked"], kinds)


def main():
    check_manners()
    keys = check_credentials()
    check_table(keys)
    check_agent_keys()
    one = check_ingest(keys)
    check_directories(keys)
    check_refusals(one, keys)
    check_whole_requests(keys)
    check_reads(keys)
    check_following()
    check_proofs(keys)
    check_legacy(keys["reader"])
    check_log(keys)
    check_revoking(one, keys)
    check_invitations()
    missing = [r for r in ROUTES if (r[0], r[1]) not in called]
    report("every route of the tables was called", not missing, missing)
    strange = [c for c in called if c[1] is None and c[0] not in
               ("HEAD", "OPTIONS")]
    report("and none besides", not strange, strange)
    report("and what doc/http/openapi.json says", not undescribed,
           sorted(undescribed))
    report("every answer is what doc/http.md says", not different,
           sorted(different))
    unseen = sorted(set(SHAPES) - compared)
    report("and all it says was answered", not unseen, unseen)


main()
