"""dialects.py URL ADMIN_KEY_FILE HUB.db OPENAPI.json

The three public clients, each sending the requests it sends and making the
checks it makes (protocol.md C): the JS command line in its legacy profile
(x-api-key), the Rust client (x-api-key or Bearer) and the SDKs (Authorization:
ApiKey).  What a client sends and reads is data, at the top; what it does with
an answer is in its class.  What they are answered is compared with OPENAPI.json.
Prints "ok NAME" and "not ok NAME" lines.
"""
import http.client
import json
import re
import sys
import time
import urllib.parse
import uuid

import openapi
import vestest as v

DESCRIPTION = openapi.Description(sys.argv[4])
UNDESCRIBED = set()
HOST = urllib.parse.urlsplit(sys.argv[1]).netloc
ADMIN = open(sys.argv[2]).read().strip()
SEQUENCER = max(v.sequencer_keys(v.open_store(sys.argv[3])).items())[1]

INGEST = "/api/v1/ves/events/ingest"
REGISTER = "/api/v1/agents/keys"

# Every optional member is present, as JSON.stringify writes it.
JS_REGISTER = {"tenant_id": "{tenant}", "agent_id": "{agent}", "key_id": 1,
               "key_type": "signing", "key_algorithm": "ed25519",
               "public_key": "0x{key}", "public_key_bundle": None,
               "valid_from": None, "valid_to": None, "proof_of_possession": None}
JS_EVENT = {"agent_signature_scheme": 0, "agent_signature_bundle": None,
            "payload_encrypted": None, "command_id": None, "base_version": None}
JS_HYBRID = {"agent_signature_scheme": 3, "agent_signature_bundle": {
    "ed25519_signature": "0x" + "11" * 64, "ml_dsa_65_signature": "0x" + "22" * 3309}}
SDK_REGISTER = {"tenantId": "{tenant}", "agentId": "{agent}", "keyId": 1,
                "publicKey": "{key}"}
RS_EVENT = {"kernel": {"name": "stateset", "version": "1"}}

# What serde calls one member: two spellings of it in one object are an error.
RS_REPLY = [("batchId", "batch_id"), ("eventsAccepted", "events_accepted"),
            ("eventsRejected", "events_rejected"),
            ("sequenceStart", "sequence_start", "assigned_sequence_start"),
            ("sequenceEnd", "sequence_end", "assigned_sequence_end"),
            ("headSequence", "head_sequence")]
RS_REJECTION = [("eventId", "event_id"), ("code", "error_code"),
                ("reason", "message", "error"), ("retryable",)]
RS_RECEIPT = [("eventId", "event_id"), ("sequenceNumber", "sequence_number"),
              ("receiptHash", "receipt_hash")]
JS_ENVELOPE = ("event_id", "tenant_id", "store_id", "entity_type", "entity_id",
               "event_type", "payload", "ves_version", "payload_kind",
               "payload_plain_hash", "payload_cipher_hash", "agent_key_id",
               "agent_signature", "created_at", "source_agent", "sequence_number")
RS_ENVELOPE = ("event_id", "tenant_id", "store_id", "source_agent_id",
               "entity_type", "entity_id", "event_type", "payload",
               "sequence_number")
JS_COMMITMENT = ("batch_id", "merkle_root", "start_sequence", "end_sequence",
                 "event_count", "committed_at")


def report(name, condition, detail=""):
    print("%s %s" % ("ok" if condition else "not ok", name))
    if not condition:
        print("# %s" % (detail,))


def fill(template, **values):
    return {name: value.format(**values) if isinstance(value, str) else value
            for name, value in template.items()}


def integer(value, least=0):
    return isinstance(value, int) and not isinstance(value, bool) and \
        least <= value <= 2**53 - 1


class Refused(Exception):
    """What the client itself says: it does not take the answer."""


def want(condition, words):
    if not condition:
        raise Refused(words)


class Client:
    """One client with a stream and an agent of its own."""

    def __init__(self, number, tenant=None, store=None):
        self.seed = bytes([number]) * 32
        self.tenant = tenant or str(uuid.uuid4())
        self.store = store or str(uuid.uuid4())
        self.agent = str(uuid.uuid4())
        self.key = ADMIN

    def stream(self):
        return "tenant_id=%s&store_id=%s" % (self.tenant, self.store)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection(HOST, timeout=30)
        headers = dict(self.headers())
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body, separators=(",", ":"))
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        self.status, self.text = reply.status, text
        openapi.note_seen(DESCRIPTION, method, path, reply.status)
        UNDESCRIBED.update("%s %s: %s" % (method, path, fault)
                           for fault in DESCRIPTION.faults(
            method, path, reply.status,
            {n.lower(): x for n, x in reply.getheaders()}, text))
        return json.loads(text) if text[:1] in b"{[" else None

    def get(self, path, **query):
        return self.call("GET", "%s?%s%s" % (path, self.stream(), "".join(
            "&%s=%s" % pair for pair in query.items())))

    def event(self, number, payload=None, **more):
        return v.make_event(self.seed, self.tenant, self.store, self.agent,
                            "order.created", "O-%d" % number,
                            payload or {"total": number, "name": "Zoë"}, **more)

    def register(self, template):
        """As administrator; from then on with a key of the agent's own."""
        reply = self.call("POST", REGISTER, fill(
            template, tenant=self.tenant, agent=self.agent,
            key=v.public_key(self.seed).hex()))
        made = self.call("POST", "/api/v1/api-keys", {
            "tenantId": self.tenant, "storeId": self.store,
            "agentId": self.agent, "rights": ["read", "write"]})
        self.key = made["apiKey"]
        return reply


# ---- the JS command line (C.1 to C.3) ------------------------------------------


class Js(Client):
    def headers(self):
        if self.key.startswith("ss_"):
            return {"x-api-key": self.key}
        return {"Authorization": "Bearer " + self.key}

    def event(self, number, payload=None, **more):
        made = super().event(number, payload, version=1, **more)
        return dict(JS_EVENT, **made)

    def push(self, events):
        """validatePushReceipt: the number of each event, or None: rejected."""
        r = self.call("POST", INGEST, {"agentId": self.agent, "events": events})
        want(self.status == 200, "HTTP %d" % self.status)
        accepted, rejected = r.get("eventsAccepted"), r.get("eventsRejected")
        want(integer(accepted) and integer(rejected) and
             integer(r.get("headSequence")), "counts are no integers")
        want(accepted + rejected == len(events),
             "accepted + rejected is not what was submitted")
        rejections = r.get("rejections") or []
        ids = [x.get("eventId") for x in rejections]
        want(len(ids) == rejected and len(set(ids)) == rejected and
             set(ids) <= {e["event_id"] for e in events}, "rejections")
        want(all(isinstance(x.get("reason"), str) and x["reason"] or
                 integer(x.get("reason")) for x in rejections), "reason")
        if accepted:
            start, end = r.get("sequenceStart"), r.get("sequenceEnd")
            want(integer(start, 1) and integer(end, 1) and
                 end - start + 1 == accepted and end <= r["headSequence"], "range")
        numbers, n = {}, r.get("sequenceStart")
        for e in events:
            numbers[e["event_id"]] = None if e["event_id"] in ids else n
            n = n if e["event_id"] in ids else n + 1
        return numbers

    def pull(self, start=1, limit=1000):
        """The events of one page, and the next cursor."""
        page = self.get("/api/v1/events", **{"from": start, "limit": limit})
        want(self.status == 200 and integer(page.get("head_sequence")), "head")
        rows = page["events"]
        want(len(rows) <= limit, "more rows than asked for")
        last = start - 1
        for row in rows:
            missing = [n for n in JS_ENVELOPE if n not in row["envelope"]]
            want(not missing, "missing %s" % missing)
            n = row["envelope"]["sequence_number"]
            want(integer(n, start) and n > last, "sequence numbers")
            want(row["sequenced_at"] and re.match("^[0-9a-f]{64}$",
                                                  row["receipt_hash"]), "beside it")
            last = n
        want(page["head_sequence"] >= last, "head below the page")
        want(rows or not page.get("has_more"), "empty and more")
        return [r["envelope"] for r in rows], last + 1

    def directory(self, agent):
        d = self.call("GET", "/api/v1/agents/%s/signing-keys?tenant_id=%s" %
                      (agent, self.tenant))
        body = {n: x for n, x in d.items() if n != "directorySignature"}
        want(re.match("^0x[0-9a-f]{128}$", d["directorySignature"]) and v.verify(
            SEQUENCER, v.sha256(b"VES_KEYDIR_V1", v.jcs(body).encode()),
            v.unhex(d["directorySignature"])), "directory_untrusted: signature")
        want(d["agentId"] == agent and d["tenantId"] == self.tenant,
             "directory_untrusted: of somebody else")
        age = time.time() - when(d["signedAt"])
        want(-300 <= age <= 86400, "directory_untrusted: signedAt")
        want([k["keyId"] for k in d["keys"]] == sorted(
            k["keyId"] for k in d["keys"]), "directory_untrusted: order")
        return {k["keyId"]: k for k in d["keys"]}

    def verify(self, e, directories):
        """The quarantine reason of one event, or None."""
        if (e["tenant_id"], e["store_id"]) != (self.tenant, self.store):
            return "scope_mismatch"
        if e.get("agent_signature_scheme") not in (None, 0, 1):
            return "security_profile_mismatch"
        agent = e["source_agent"]
        if agent not in directories:
            directories[agent] = self.directory(agent)
        key = directories[agent].get(e["agent_key_id"])
        if not key or not re.match("^0x[0-9a-f]{64}$", key["publicKey"]):
            return "key_unresolved"
        made = when(e["created_at"])
        if key["revokedAt"] and when(key["revokedAt"]) <= made:
            return "key_revoked"
        if key["validFrom"] and made < when(key["validFrom"]) or \
                key["validTo"] and made >= when(key["validTo"]):
            return "key_outside_validity_window"
        if e.get("payload_encrypted") is not None or \
                int(v.unhex(e["payload_cipher_hash"]).hex(), 16) or \
                v.payload_hash(e["payload"]) != v.unhex(e["payload_plain_hash"]):
            return "signature_invalid"
        signed = dict(e, source_agent_id=agent)
        if not v.verify(v.unhex(key["publicKey"]), v.event_hash(signed),
                        v.unhex(e["agent_signature"])):
            return "signature_invalid"
        return None


def when(text):
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def refused(call, words):
    try:
        call()
    except Refused as e:
        return words in str(e)
    return False


def check_js():
    js = Js(0x21)
    r = js.register(JS_REGISTER)
    report("JS: a key is registered", js.status == 200 and
           r.get("success") is not False, js.text)
    one = [js.event(n) for n in range(3)]
    report("JS: a push is taken", list(js.push(one).values()) == [1, 2, 3], js.text)
    report("JS: again, whole: accepted with its range",
           list(js.push(one).values()) == [1, 2, 3], js.text)
    bad = dict(js.event(4), agent_signature="0x" + "00" * 64)
    lie = dict(js.event(5), payload={"total": 6})
    two = [js.event(3), bad, js.event(6), lie]
    report("JS: refusals among others, numbered in the order of the batch",
           list(js.push(two).values()) == [4, None, 5, None], js.text)
    report("JS: nothing but refusals", list(js.push([bad]).values()) == [None],
           js.text)
    old = [two[0], js.event(7), js.event(8)]
    old.insert(1, two[2])
    report("JS: old and new that follow each other in the log",
           list(js.push(old).values()) == [4, 5, 6, 7], js.text)
    # The impossible case: replays and new events with somebody else's between.
    other = Js(0x22, js.tenant, js.store)
    other.register(JS_REGISTER)
    other.push([other.event(9)])
    mixed = [old[3], js.event(10), js.event(11)]
    report("JS: old and new apart in the log have no representation",
           refused(lambda: js.push(mixed), "submitted"), js.text)
    report("JS: nor has the same batch again", refused(lambda: js.push(mixed),
                                                       "submitted"), js.text)
    report("JS: one by one it goes on, with the numbers of the log", [
        js.push([e])[e["event_id"]] for e in mixed] == [7, 9, 10], js.text)
    hybrid = dict(js.event(12), **JS_HYBRID)
    bundle = js.call("POST", INGEST, {"agentId": js.agent, "events": [hybrid]})
    report("JS: an event of the hybrid profile says why it is refused", bundle[
        "rejections"][0]["reason"].startswith("schema_validation"), js.text)
    report("JS: an event of the hybrid profile refuses itself only", list(
        js.push([hybrid, js.event(13)]).values()) == [None, 11], js.text)
    events, cursor, directories = [], 1, {}
    while True:
        page, cursor = js.pull(cursor, 4)
        if not page:
            break
        events += page
    report("JS: pages to the end", [e["sequence_number"] for e in events] ==
           list(range(1, 12)) and cursor == 12)
    found = [js.verify(e, directories) for e in events]
    report("JS: every event verifies, of two agents", found == [None] * 11 and
           len(directories) == 2, found)
    report("JS: and a changed one does not", js.verify(
        dict(events[0], entity_id="O-99"), directories) == "signature_invalid")
    batch = js.call("POST", "/api/v1/ves/commitments", {
        "tenant_id": js.tenant, "store_id": js.store, "sequence_start": 1,
        "sequence_end": 5})
    seen = js.call("GET", "/api/v1/commitments/" + batch["batch_id"])
    report("JS: a commitment by its older name", js.status == 200 and all(
        n in seen for n in JS_COMMITMENT), js.text)
    head = js.get("/api/v1/head")
    report("JS: the head, with its newest commitment", head["head_sequence"] == 11
           and head["latest_commitment"]["batch_id"] == batch["batch_id"], head)
    flat = js.get("/api/v1/entities/order/O-1")["events"][0]
    report("JS: an entity's events are flat", flat["event_id"] == one[1]["event_id"]
           and flat["source_agent"] == js.agent and flat["sequence_number"] == 2)
    report("JS: health", js.call("GET", "/health")["status"] == "healthy")


# ---- the Rust client (C.5) -----------------------------------------------------


def decode(document, members, needed=()):
    """As serde does: one spelling of each member, others are ignored."""
    out = {}
    for names in members:
        there = [n for n in names if n in document]
        want(len(there) < 2, "duplicate field %s" % names[0])
        want(there or names[0] not in needed, "missing field %s" % names[0])
        out[names[0]] = document[there[0]] if there else None
    return out


class Rs(Client):
    scheme = None

    def headers(self):
        if self.scheme:
            return {"Authorization": "%s %s" % (self.scheme, self.key)}
        return {"x-api-key": self.key}

    def event(self, number, payload=None, **more):
        made = super().event(number, payload, version=1,
                             created_at="2026-11-22T12:00:00+00:00", **more)
        for name in ("payload_plain_hash", "payload_cipher_hash",
                     "agent_signature"):
            made[name] = made[name][2:]
        return dict(made, **RS_EVENT)

    def push(self, events):
        body = self.call("POST", INGEST, {"agentId": self.agent, "events": events})
        want(self.status == 200, "HTTP %d" % self.status)
        r = decode(body, RS_REPLY, ("eventsAccepted", "eventsRejected",
                                    "headSequence"))
        rejections = [decode(x, RS_REJECTION, ("eventId",))
                      for x in body.get("rejections") or []]
        want(r["eventsRejected"] <= len(rejections), "rejections are missing")
        receipts = [decode(x, RS_RECEIPT, ("eventId", "sequenceNumber"))
                    for x in body.get("receipts") or []]
        want(all(integer(x["sequenceNumber"], 1) for x in receipts), "receipt 0")
        numbers = {x["eventId"]: x["sequenceNumber"] for x in receipts}
        for x in rejections:
            want(x["reason"], "no reason")
            numbers[x["eventId"]] = x["reason"]
        return [numbers.get(e["event_id"]) for e in events]

    def pull(self, since, limit=1000):
        page = self.get("/api/v1/events", **{"from": since + 1, "limit": limit})
        want(self.status == 200 and integer(page["head_sequence"]) and
             page.get("has_more") in (True, False, None), "page")
        for row in page["events"]:
            missing = [n for n in RS_ENVELOPE if n not in row["envelope"]]
            want(not missing and row["sequenced_at"], "missing %s" % missing)
            want(row["envelope"]["sequence_number"] != 0, "sequence 0")
        return [r["envelope"]["sequence_number"] for r in page["events"]]

    def manifest(self, head):
        """The signed commitment manifest of A.13, by a key it was given."""
        m = head["latest_commitment"]

        def text(s):
            return v.u64(len(s.encode())) + s.encode()

        before = m["previous_batch_id"]
        h = v.sha256(b"STATESET_COMMITMENT_MANIFEST_V1", text(m["batch_id"]),
                     b"\0" if before is None else b"\1" + text(before),
                     bytes.fromhex(m["state_root"]), v.u64(m["remote_head"]),
                     text(m["signer_id"]), text(m["signature_scheme"]),
                     text(rendered(m["issued_at"])))
        return v.verify(SEQUENCER, h, bytes.fromhex(m["signature"])) and \
            m["signer_public_key"] == SEQUENCER.hex() and \
            m["remote_head"] <= head["head_sequence"]


def rendered(text):
    """What chrono prints of a time it has read."""
    import datetime
    return datetime.datetime.fromisoformat(text).isoformat()


def check_rs():
    for scheme, seed in ((None, 0x31), ("Bearer", 0x32)):
        rs = Rs(seed)
        rs.register(SDK_REGISTER)
        rs.scheme, name = scheme, "RS %s: " % (scheme or "x-api-key")
        report(name + "a key is registered", rs.status == 200, rs.text)
        command = str(uuid.uuid4())
        events = [rs.event(1), rs.event(2, command=command), rs.event(1, base=1)]
        report(name + "a push is taken", rs.push(events) == [1, 2, 3], rs.text)
        bad = dict(rs.event(4), agent_signature="00" * 64)
        late = rs.event(1, base=1)
        again = rs.event(5, command=command)
        report(name + "refusals among others, and replays", rs.push(
            [events[1], bad, late, again, rs.event(6)]) ==
            [2, "invalid_signature", "version_conflict: expected 1, actual 2",
             "duplicate_command_id", 4], rs.text)
        report(name + "pulls behind a number", rs.pull(0) == [1, 2, 3, 4] and
               rs.pull(2, 1) == [3] and rs.pull(4) == [], rs.text)
        for start, end in ((1, 2), (3, 4)):
            rs.call("POST", "/api/v1/ves/commitments", {
                "tenant_id": rs.tenant, "store_id": rs.store,
                "sequence_start": start, "sequence_end": end})
            head = rs.get("/api/v1/head")
            report(name + "the signed commitment up to %d verifies" % end,
                   rs.manifest(head) and
                   head["latest_commitment"]["remote_head"] == end, head)
        head["latest_commitment"]["remote_head"] = 3
        report(name + "and a changed one does not", not rs.manifest(head))


# ---- the SDKs (C.6) ------------------------------------------------------------


class Sdk(Client):
    def headers(self):
        return {"Authorization": "ApiKey " + self.key}

    def push(self, event):
        """Its receipt, or its rejection, looked up by event_id."""
        r = self.call("POST", INGEST, {"agentId": self.agent, "events": [event]})
        if self.status != 200:
            raise Refused("%s %s" % (r.get("code"), r.get("message") or r.get("error")))
        for x in r.get("rejections") or []:
            if x["event_id"] == event["event_id"]:
                return {"rejected": (x["reason"], x["message"])}
        return dict(r["receipts"][0], accepted=r["eventsAccepted"])


def included(leaf, root, proof):
    """verifyInclusionProofLocally (A.7)."""
    path, sides, index = proof["proof_path"], proof["directions"], proof["leaf_index"]
    if len(path) != len(sides) or len(path) > 64 or not integer(index):
        return False
    for sibling, is_left in zip(path, sides):
        if is_left != (index % 2 == 0):
            return False
        other = bytes.fromhex(sibling)
        leaf = v.node_hash(leaf, other) if is_left else v.node_hash(other, leaf)
        index //= 2
    return index == 0 and leaf == root


def check_sdk():
    sdk = Sdk(0x41)
    r = sdk.register(SDK_REGISTER)
    report("SDK: a key is registered", sdk.status == 200 and r["success"], sdk.text)
    events = [sdk.event(1, base=0, command=str(uuid.uuid4())), sdk.event(2),
              sdk.event(1, base=1)]
    got = [sdk.push(e) for e in events]
    report("SDK: events go one by one", [g["sequenceNumber"] for g in got] ==
           [1, 2, 3] and all(g["accepted"] == 1 for g in got), got)
    again = sdk.push(events[1])
    report("SDK: a retry gets the same receipt and counts as nothing new",
           dict(got[1], accepted=0) == again, again)
    late = sdk.push(sdk.event(1, base=1))
    report("SDK: a refusal has reason and message", late.get("rejected", "")[0] ==
           "version_conflict: expected 1, actual 2" and late["rejected"][1], late)
    report("SDK: what fails whole has words at the top", refused(
        lambda: sdk.push(dict(sdk.event(3), source_agent_id=str(uuid.uuid4()))),
        "INVALID_FIELD_VALUE"), sdk.text)
    page = sdk.get("/api/v1/ves/events", **{"from": 2, "limit": 1})
    report("SDK: a page", page["events"][0]["envelope"]["sequence_number"] == 2 and
           (page["count"], page["next_sequence"], page["head_sequence"],
            page["has_more"]) == (1, 3, 3, True), page)
    report("SDK: what was signed comes back as it was", all(
        x["envelope"][n] == e[n] for x, e in zip(
            sdk.get("/api/v1/ves/events")["events"], events) for n in e))
    report("SDK: head", sdk.get("/api/v1/ves/head") == {"head_sequence": 3})
    entity = sdk.get("/api/v1/ves/entities/order/O-1", **{"from": 0, "limit": 100})
    report("SDK: an entity", (entity["total"], entity["current_version"]) == (2, 2)
           and "envelope" in entity["events"][1], entity)
    path = "/api/v1/ves/cursors/" + sdk.agent
    moved = sdk.call("PUT", path, {"tenantId": sdk.tenant, "storeId": sdk.store,
                                   "sequenceNumber": 2})
    report("SDK: a cursor is put and read", moved["acknowledgedSequence"] == 2 and
           sdk.get(path) == moved and moved["lag"] == 1, moved)
    report("SDK: there is no projection here", sdk.get(
        "/api/v1/projections/order/O-1") is not None and sdk.status == 404)
    sdk.call("POST", "/api/v1/ves/commitments", {
        "tenant_id": sdk.tenant, "store_id": sdk.store, "sequence_start": 1,
        "sequence_end": 3})
    leaves = [v.leaf_hash(e, n + 1) for n, e in enumerate(events)]
    root = v.merkle_root(leaves)
    proofs = [sdk.get("/api/v1/ves/proofs/%d" % n) for n in (1, 2, 3)]
    report("SDK: inclusion proofs, asked for without a batch, verify offline", all(
        included(leaf, root, p) for leaf, p in zip(leaves, proofs)), proofs)
    report("SDK: and not for another leaf", not included(leaves[0], root, proofs[1]))


check_js()
check_rs()
check_sdk()
report("what they are answered is described", not UNDESCRIBED, sorted(UNDESCRIBED))
