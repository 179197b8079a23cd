"""http_fuzz.py URL ADMIN_KEY_FILE OPENAPI.json [ROUNDS [SEED]]

Requests made from the description: for each operation a good one, then each
parameter and each member of the body wrong in turn, bodies that are none, and
ROUNDS with two things wrong at once.  What is not as the schema has it must be
refused; every answer has a status and a body that are described, none is 500,
none is late.  Prints "ok NAME" and "not ok NAME" lines.
"""
import http.client
import json
import random
import sys
import urllib.parse
import uuid

import openapi
import vestest as v

HOST = urllib.parse.urlsplit(sys.argv[1]).netloc
ADMIN = open(sys.argv[2]).read().strip()
DESCRIPTION = openapi.Description(sys.argv[3])
ROUNDS = int(sys.argv[4]) if len(sys.argv) > 4 else 100
SEED = int(sys.argv[5]) if len(sys.argv) > 5 else 1
PATIENCE_S = 30
TENANT, STORE, AGENT = (str(uuid.uuid4()) for _ in range(3))
NAMED = {"tenantId": TENANT, "tenant_id": TENANT, "storeId": STORE,
         "store_id": STORE, "agentId": AGENT, "agent": AGENT, "agent_id": AGENT,
         "type": "order", "id": "F-1", "sequence": "1", "key": "1", "keyId": 1,
         "stream": v.stream_id(TENANT, STORE).hex(), "tile": "0/000.p/1",
         "batch": str(uuid.uuid4()), "publicKey": v.public_key(b"\x61" * 32).hex(),
         "expiresAt": "2999-01-01T00:00:00Z", "expiresAtMs": 4102444800000}
# As text, in a path or a query.
BAD_TEXT = ["", "x", "-1", "1.5", "99999999999999999999999", "%00", "%zz", "é" * 600,
            "' OR 1=1 --", "1&{name}=2"]
# Good values, of what is not there.
NOWHERE = {"batch": str(uuid.uuid4()), "key": "4242", "sequence": "4242",
           "store_id": str(uuid.uuid4()), "stream": "cd" * 32}
ABSENT = object()
BAD_JSON = [ABSENT, None, "", "x", -1, 1.5, 2**53, [], {}, True, "é" * 3000]
BAD_BODIES = [b"", b"null", b"[]", b"{", b'"x"', b"[" * 70 + b"]" * 70, b"\xff\xfe",
              b'{"tenantId":1,"tenantId":2}', b"{}" + b" " * 70000, b"{}x"]
connection = http.client.HTTPConnection(HOST, timeout=PATIENCE_S)
faults, counts = set(), {"good": 0, "bad": 0}


def send(method, path, body=None, key=ADMIN):
    headers = {"x-api-key": key} if key else {}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        data = reply.read()
    except OSError as e:
        connection.close()
        return None, str(e), {}
    return reply.status, data, {n.lower(): x for n, x in reply.getheaders()}


def sample(schema, name=""):
    schema = DESCRIPTION.resolve(schema)
    if name in NAMED:
        return NAMED[name]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], name)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    if kind == "object":
        return {n: sample(s, n) for n, s in schema.get("properties", {}).items()
                if n in schema.get("required", [])}
    if kind == "array":
        return [sample(schema["items"])]
    if kind == "integer":
        return max(1, schema.get("minimum", 1))
    pattern = schema.get("pattern", "")
    if "-" in pattern and "{8}" in pattern:
        return str(uuid.uuid4())
    for digits in (16, 32, 64, 128):
        if "{%d}" % digits in pattern:
            return "ab" * (digits // 2)
    return "1"


def is_switch(schema):
    return DESCRIPTION.resolve(schema).get("enum") == ["1", "true", "0", "false"]


def fits(schema, text):
    """Is the text a good value of a parameter?"""
    schema = DESCRIPTION.resolve(schema)
    if schema.get("type") == "integer":
        if not text.isascii() or not text.isdigit():
            return False
        # More than the most is cut to it, or the number is too large for any.
        return DESCRIPTION.check(schema, int(text)) == []
    return DESCRIPTION.check(schema, text) == []


class Request:
    """A good request of an operation, to be spoilt."""

    def __init__(self, method, route, operation):
        self.method, self.route, self.operation = method, route, operation
        self.given, self.raw = {}, None
        self.must_fail = False
        self.parameters = [p for p in DESCRIPTION.parameters(operation)
                           if p["in"] != "header"]
        for p in self.parameters:
            if p["required"]:
                self.given[p["name"], p["in"]] = urllib.parse.quote(
                    str(sample(p["schema"], p["name"])), safe="/" if p["name"] == "tile"
                    else "")
        if route.startswith("/api/v1/api-keys/"):
            self.given["id", "path"] = "0" * 16
        content = operation.get("requestBody", {}).get("content", {})
        self.schema = content["application/json"]["schema"] if content else None
        self.body = sample(self.schema) if self.schema else None

    def path(self):
        path = self.route
        for (name, where), value in self.given.items():
            if where == "path":
                path = path.replace("{%s}" % name, value)
        query = "&".join("%s=%s" % (name, value) for (name, where), value
                         in self.given.items() if where == "query")
        return path + ("?" + query if query else "")

    def spoil_parameter(self, p, text):
        is_raw = text[:1] == "%" or "{name}" in text
        value = text.replace("{name}", p["name"]) if is_raw else \
            urllib.parse.quote(text, safe="")
        if p["in"] == "path" and not text:
            return False  # another path
        self.given[p["name"], p["in"]] = value
        if p["in"] == "query" and not is_switch(p["schema"]) and not is_raw and \
                (text or p["required"]) and not fits(p["schema"], text):
            self.must_fail = True
        return True

    def spoil_member(self, name, value):
        inner = DESCRIPTION.resolve(self.schema)
        required = name in inner.get("required", [])
        if value is ABSENT or value is None:
            self.body.pop(name, None)
            if value is None:
                self.body[name] = None
            self.must_fail = self.must_fail or required
            return
        self.body[name] = value
        if DESCRIPTION.check(inner["properties"][name], value, closed=False):
            self.must_fail = True

    def go(self, key=ADMIN):
        body = self.raw if self.raw is not None else self.body
        path = self.path()
        if path.startswith("/api/v1/ves/events/stream") and not self.must_fail:
            return  # has no end; test_server_live follows it
        status, data, headers = send(self.method, path, body, key)
        openapi.note_seen(DESCRIPTION, self.method, path, status or 0)
        counts["bad" if self.must_fail else "good"] += 1
        words = []
        if status is None:
            words = ["no answer: %s" % data]
        elif status == 500:
            words = ["500: %s" % data[:200]]
        elif self.must_fail and not 400 <= status < 500:
            words = ["answered %d although it is wrong" % status]
        elif DESCRIPTION.find(self.method, path):
            words = DESCRIPTION.faults(self.method, path, status, headers, data)
        for word in words:
            faults.add("%s %s %.200s: %s" % (self.method, path[:300], body, word))


def report(name, condition, detail=""):
    print("%s %s" % ("ok" if condition else "not ok", name))
    if not condition:
        print("# %s" % (detail,))


def prepare():
    for body in ({"tenantId": TENANT, "agentId": AGENT, "keyId": 1,
                  "publicKey": NAMED["publicKey"]},):
        status = send("POST", "/api/v1/agents/keys", body)[0]
        assert status == 200, status
    events = [v.make_event(b"\x61" * 32, TENANT, STORE, AGENT, "order.created",
                           "F-%d" % n, {"n": n}) for n in (1, 2)]
    status, data, _ = send("POST", "/api/v1/ves/events/ingest",
                           {"agentId": AGENT, "events": events})
    assert status == 200, data
    status, data, _ = send("POST", "/api/v1/ves/commitments", {
        "tenant_id": TENANT, "store_id": STORE, "sequence_start": 1,
        "sequence_end": 2})
    NAMED["batch"] = json.loads(data)["batch_id"]
    made = json.loads(send("POST", "/api/v1/api-keys", {
        "tenantId": TENANT, "rights": ["read"]})[1])
    return made["apiKey"]


def one_by_one(make, reader):
    make().go()
    for key in (None, reader, "ss_nobody"):
        request = make()
        request.must_fail = bool(request.operation.get("security", True)) and \
            (key != reader or request.operation["x-ves-right"] in ("write", "admin"))
        request.go(key)
    for i, p in enumerate(make().parameters):
        if p["name"] in NOWHERE:
            request = make()
            request.spoil_parameter(request.parameters[i], NOWHERE[p["name"]])
            request.go()
        for text in BAD_TEXT:
            request = make()
            if request.spoil_parameter(request.parameters[i], text):
                request.go()
        request = make()
        if p["in"] == "query" and request.given.pop((p["name"], "query"), None):
            request.must_fail = True
            request.go()
    if not make().schema:
        return
    for name in DESCRIPTION.resolve(make().schema)["properties"]:
        for value in BAD_JSON:
            request = make()
            request.spoil_member(name, value)
            request.go()
    for raw in BAD_BODIES:
        request = make()
        request.raw, request.must_fail = raw, True
        request.go()


def at_random(makers, dice):
    request = dice.choice(makers)()
    for _ in range(2):
        names = list(DESCRIPTION.resolve(request.schema)["properties"]) \
            if request.schema else []
        if request.parameters and (not names or dice.random() < 0.5):
            request.spoil_parameter(dice.choice(request.parameters),
                                    dice.choice(BAD_TEXT))
        elif names:
            request.spoil_member(dice.choice(names), dice.choice(BAD_JSON))
    # Two wrongs are not always one: only form and kindness are looked at.
    request.must_fail = False
    request.go()


def main():
    reader = prepare()
    makers = [lambda m=m, r=r, o=o: Request(m, r, o)
              for (m, _), (r, o) in DESCRIPTION.routes.items()]
    # What takes keys back comes last.
    makers.sort(key=lambda make: make().method == "DELETE")
    for make in makers:
        one_by_one(make, reader)
    dice = random.Random(SEED)
    for _ in range(ROUNDS):
        at_random(makers, dice)
    report("%d wrong requests are refused as described, %d others answered so" %
           (counts["bad"], counts["good"]), not faults and counts["bad"] > 500,
           "\n# ".join(sorted(faults)[:30]))
    report("and the server is well", send("GET", "/health", None, None)[0] == 200)


main()
