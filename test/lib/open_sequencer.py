"""open_sequencer.py STATE.json PORT_FILE [no-directory]

A sequencer with the open implementation's routes and no others (protocol.md A,
B.1 to B.8 as of S-09, and S-dir's key directory unless that is not wanted):
no receipts in pages, no list of its own keys, no invitations, no provable log,
refusals that nobody signed.  Keeps everything in STATE.json, so that it can be
killed and started again, at the same port.  STATE.json.say, when there is such a file, holds one
word: "lose" (ingest is done, its answer never sent), "unsigned" (receipts say
signatureAlg none), "busy" (429).  The requests it got are in STATE.json.asked, the
key of its receipts in STATE.json.key.
"""
import datetime
import json
import os
import re
import sys
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

import vestest as v

PATH, HAS_DIRECTORY = sys.argv[1], "no-directory" not in sys.argv[3:]
SEED = b"\x51" * 32
SEQUENCER_ID = "5e9e5e9e-0000-4000-8000-000000000051"
LOCK = Lock()
STATE = {"keys": {}, "streams": {}, "cursors": {}, "ids": {}}
if os.path.exists(PATH):
    STATE = json.load(open(PATH))
NEEDED = ("ves_version", "event_id", "tenant_id", "store_id", "source_agent_id",
          "agent_key_id", "entity_type", "entity_id", "event_type", "created_at",
          "payload_kind", "payload_plain_hash", "payload_cipher_hash",
          "agent_signature")
SIGNED = NEEDED + ("payload", "payload_encrypted", "command_id", "base_version")


def save():
    with open(PATH + ".new", "w") as f:
        json.dump(STATE, f)
    os.replace(PATH + ".new", PATH)


def said():
    try:
        return open(PATH + ".say").read().strip()
    except OSError:
        return ""


def now():
    """As chrono prints it: nine digits, +00:00 in receipts and Z elsewhere."""
    return datetime.datetime.now(datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%S.%f") + "123"


class Whole(Exception):
    """The request fails as a whole: status and bare text."""


def stream_of(tenant, store):
    return STATE["streams"].setdefault(
        "%s/%s" % (tenant, store),
        {"events": [], "versions": {}, "commands": {}, "commitments": []})


def receipt(e, sequence, at):
    h = v.receipt_hash(e, sequence)
    none = said() == "unsigned"
    return {"sequencerId": SEQUENCER_ID, "eventId": e["event_id"],
            "sequenceNumber": sequence, "sequencedAt": at + "+00:00",
            "receiptHash": h.hex(), "signatureAlg": "none" if none else "ed25519",
            "sequencerSignature": "" if none else v.sign(SEED, h).hex(),
            "sequencerKeyVersion": 0}


def refusal(e, stream):
    """Why an event is not taken, in the order of B.3; None: it is."""
    if e["ves_version"] not in (1, 2):
        return "unsupported_version"
    if e["payload_kind"] == 0 and (
            int(v.unhex(e["payload_cipher_hash"]).hex(), 16) or
            v.payload_hash(e["payload"]) != v.unhex(e["payload_plain_hash"])):
        return "invalid_payload_hash"
    key = STATE["keys"].get("%s/%s/%d" % (
        e["tenant_id"], e["source_agent_id"], e["agent_key_id"]))
    if not key:
        return "agent_key_invalid: Agent key not found"
    if not v.verify(v.unhex(key["publicKey"]), v.event_hash(e),
                    v.unhex(e["agent_signature"])):
        return "invalid_signature"
    if e.get("command_id") and e["command_id"] in stream["commands"]:
        return "duplicate_command_id"
    at = stream["versions"].get(e["entity_type"] + "\n" + e["entity_id"], 0)
    if e.get("base_version") is not None and e["base_version"] != at:
        return "version_conflict: expected %d, actual %d" % (e["base_version"], at)
    return None


def take(e, sequence, at, stream):
    stream["events"].append({"e": e, "at": at})
    name = e["entity_type"] + "\n" + e["entity_id"]
    stream["versions"][name] = stream["versions"].get(name, 0) + 1
    if e.get("command_id"):
        stream["commands"][e["command_id"]] = e["event_id"]
    STATE["ids"][e["event_id"]] = sequence


def check_shape(body):
    if not isinstance(body, dict) or not isinstance(body.get("events"), list):
        raise Whole(422, "missing field `events`")
    for e in body["events"]:
        for name in NEEDED:
            if not isinstance(e, dict) or e.get(name) is None:
                raise Whole(422, "events: missing field `%s`" % name)
        for name in ("payload_plain_hash", "payload_cipher_hash"):
            if not re.match("^(0x)?[0-9a-fA-F]{64}$", e[name]):
                raise Whole(422, "events: %s" % name)
    first = body["events"][0] if body["events"] else None
    if not first:
        raise Whole(400, "No events provided")
    for e in body["events"]:
        if (e["tenant_id"], e["store_id"]) != (first["tenant_id"], first["store_id"]):
            raise Whole(400, "All events must be of one tenant and store")
        if e["source_agent_id"] != body.get("agentId"):
            raise Whole(400, "source_agent_id mismatch")
    return first


def ingest(body):
    first = check_shape(body)
    stream = stream_of(first["tenant_id"], first["store_id"])
    old, new, rejections, seen = [], [], [], set()
    for sent in body["events"]:
        e = {n: sent[n] for n in SIGNED if sent.get(n) is not None}
        why = None
        there = STATE["ids"].get(e["event_id"])
        if e["event_id"] in seen:
            why = "duplicate_event_id"
        elif there:
            kept = stream["events"][there - 1]
            if kept["e"] == e:
                old.append(receipt(e, there, kept["at"]))
            else:
                why = "duplicate_event_id"
        else:
            why = refusal(e, stream)
            if not why:
                at, sequence = now(), len(stream["events"]) + 1
                take(e, sequence, at, stream)
                new.append(receipt(e, sequence, at))
        seen.add(e["event_id"])
        if why:
            rejections.append({"event_id": e["event_id"], "reason": why,
                               "message": "Event rejected: " + why})
    save()
    answer = {"batchId": str(uuid.uuid4()), "eventsAccepted": len(new),
              "eventsRejected": len(rejections),
              "sequenceStart": new[0]["sequenceNumber"] if new else None,
              "sequenceEnd": new[-1]["sequenceNumber"] if new else None,
              "headSequence": len(stream["events"])}
    if rejections:
        answer["rejections"] = rejections
    if old or new:
        answer["receipts"] = old + new
    return answer


def item(kept, sequence):
    e = dict(kept["e"], sequence_number=sequence, sequenced_at=kept["at"] + "Z")
    for name in ("payload_plain_hash", "payload_cipher_hash", "agent_signature"):
        e[name] = "0x" + v.unhex(e[name]).hex()
    return {"envelope": e}


def page(stream, query):
    start = max(1, int(query.get("from", "1")))
    limit = min(1000, int(query.get("limit", "100")))
    rows = stream["events"][start - 1:start - 1 + limit]
    head = len(stream["events"])
    return {"events": [item(k, start + i) for i, k in enumerate(rows)],
            "count": len(rows), "next_sequence": start + len(rows),
            "head_sequence": head, "has_more": start + len(rows) <= head}


def directory(tenant, agent):
    keys = [{"keyId": int(name.rsplit("/", 1)[1]), "algorithm": "unspecified",
             "publicKey": "0x" + k["publicKey"], "publicKeyBundle": None,
             "validFrom": None, "validTo": None, "revokedAt": None}
            for name, k in STATE["keys"].items()
            if name.startswith("%s/%s/" % (tenant, agent))]
    body = {"agentId": agent, "tenantId": tenant, "keys": keys,
            "signedAt": now() + "Z"}
    h = v.sha256(b"VES_KEYDIR_V1", v.jcs(body).encode())
    return dict(body, directorySignature="0x" + v.sign(SEED, h).hex())


def cursor(name, tenant, store, agent):
    head = len(stream_of(tenant, store)["events"])
    at = STATE["cursors"].get(name, 0)
    return {"tenantId": tenant, "storeId": store, "agentId": agent,
            "acknowledgedSequence": at, "headSequence": head, "lag": head - at,
            "updatedAt": None}


def register(body):
    for name in ("tenantId", "agentId", "keyId", "publicKey"):
        if name not in body:
            raise Whole(422, "missing field `%s`" % name)
    name = "%s/%s/%d" % (body["tenantId"], body["agentId"], body["keyId"])
    if name in STATE["keys"]:
        raise Whole(500, "internal error")
    STATE["keys"][name] = {"publicKey": v.unhex(body["publicKey"]).hex()}
    save()
    return {"success": True, "tenantId": body["tenantId"],
            "agentId": body["agentId"], "keyId": body["keyId"],
            "keyAlgorithm": 0, "message": "Agent key registered"}


def answer(method, path, query, body):
    """The document of a route; None: there is no such route."""
    if (method, path) == ("GET", "/health"):
        return {"status": "healthy", "service": "stateset-sequencer",
                "version": "0.10.0", "timestamp": now() + "Z"}
    if (method, path) == ("POST", "/api/v1/ves/events/ingest"):
        return ingest(body)
    if (method, path) == ("POST", "/api/v1/agents/keys"):
        return register(body)
    if method == "GET" and path in ("/api/v1/ves/events", "/api/v1/ves/head"):
        if "tenant_id" not in query or "store_id" not in query:
            raise Whole(400, "missing field `tenant_id`")
        stream = stream_of(query["tenant_id"], query["store_id"])
        return page(stream, query) if path.endswith("events") else \
            {"head_sequence": len(stream["events"])}
    found = re.match("^/api/v1/agents/([^/]+)/signing-keys$", path)
    if method == "GET" and found and HAS_DIRECTORY:
        return directory(query["tenant_id"], found.group(1))
    found = re.match("^/api/v1/ves/cursors/([^/]+)$", path)
    if found and method in ("GET", "PUT"):
        where = query if method == "GET" else {
            "tenant_id": body["tenantId"], "store_id": body["storeId"]}
        tenant, store = where["tenant_id"], where["store_id"]
        name = "/".join((tenant, store, found.group(1)))
        if method == "PUT":
            if body["sequenceNumber"] > len(stream_of(tenant, store)["events"]):
                raise Whole(400, "beyond head")
            STATE["cursors"][name] = max(STATE["cursors"].get(name, 0),
                                         body["sequenceNumber"])
            save()
        return cursor(name, tenant, store, found.group(1))
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, document, more=()):
        data = document.encode() if isinstance(document, str) else \
            json.dumps(document).encode()
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def key(self):
        bearer = self.headers.get("Authorization")
        if bearer is None:
            return self.headers.get("x-api-key", "")
        scheme, _, rest = bearer.partition(" ")
        return rest if scheme == "ApiKey" else scheme

    def do(self):
        size = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(size)
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with LOCK:
            with open(PATH + ".asked", "a") as f:
                f.write("%s %s\n" % (self.command, url.path))
            if url.path != "/health" and not self.key().startswith("ss_"):
                return self.reply(401, {"error": "no", "code": "invalid_api_key"})
            if said() == "busy" and url.path != "/health":
                return self.reply(429, {"error": "slow", "code": "rate_limited"},
                                  [("retry-after", "60")])
            try:
                document = answer(self.command, url.path, query,
                                  json.loads(text) if text else None)
            except Whole as e:
                return self.reply(*e.args)
        if said() == "lose" and self.command == "POST":
            self.close_connection = True
            return None
        return self.reply(404, "") if document is None else \
            self.reply(200, document)

    do_GET = do_POST = do_PUT = do_DELETE = do


with open(PATH + ".key", "w") as f:
    f.write(v.public_key(SEED).hex())
ThreadingHTTPServer.request_queue_size = 64
server = ThreadingHTTPServer(("127.0.0.1", STATE.get("port", 0)), Handler)
STATE["port"] = server.server_port
save()
server.daemon_threads = True
with open(sys.argv[2] + ".new", "w") as f:
    f.write("%d\n" % server.server_port)
os.replace(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
