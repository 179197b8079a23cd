"""proxy.py UPSTREAM MODE_FILE PORT_FILE [ADMIN_KEY_FILE OTHER_STORE]

A man in the middle: plain HTTP between a store and its sequencer.  Before each
request it reads MODE_FILE; "honest" passes everything through, any other word
names one lie, told in what comes back (functions page_*, answer_*, keys_*
below) or in how it comes back (wire_*).  It holds an agent key and a receipt
key of its own to forge with.
"""
import base64
import copy
import hashlib
import http.client
import json
import os
import re
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import vestest as v

UPSTREAM, MODE_FILE, PORT_FILE = sys.argv[1:4]
HOST = urllib.parse.urlsplit(UPSTREAM).netloc
FORGER = bytes(range(32))  # seed of every key it has
STRANGER = "00000000-0000-4000-8000-00000000beef"
first_page = None  # for replays
first_answer = None
cache = {}  # path -> the first answer, for mode "cache"
revoked = None  # the body of a revocation that was not passed on


def number(item):
    return item["envelope"]["sequence_number"]


def receipt_for(item, seed=FORGER, like=None):
    """A receipt that says the right things, signed by the wrong key."""
    e = item["envelope"]
    h = v.receipt_hash(e, e["sequence_number"])
    receipt = dict(like or item["receipt"])
    receipt.update(eventId=e["event_id"], sequenceNumber=e["sequence_number"],
                   receiptHash=h.hex(), sequencerSignature=v.sign(seed, h).hex())
    return receipt


def rehash(e):
    e["payload_plain_hash"] = "0x" + v.payload_hash(e["payload"]).hex()


def entity_revoke_forged(history):
    """A revocation nobody entered, behind the last key event."""
    item = copy.deepcopy(history["events"][-1])
    e = item["envelope"]
    e.update(event_type="ves.key.revoked", event_id=STRANGER,
             sequence_number=e["sequence_number"] + 1,
             payload={"agent_id": revoked["agentId"],
                      "key_id": revoked["keyId"], "statement": {
                          "owner_signature": "0x" + revoked["ownerSignature"]}})
    rehash(e)
    h = v.event_hash(e)
    e["event_signing_hash"] = "0x" + h.hex()
    e["agent_signature"] = "0x" + v.sign(FORGER, h).hex()
    history["events"].append(item)


# ---- lies in a page of events -------------------------------------------------


def page_corrupt(page):
    page["events"][-1]["envelope"]["payload"]["delta"] = 777


def page_rewrite(page):
    """The payload's hash fits, the signature does not."""
    e = page["events"][-1]["envelope"]
    e["payload"]["delta"] = 777
    rehash(e)


def page_resign(page):
    """Everything fits but the key: the agent's name, the forger's signature."""
    item = page["events"][-1]
    e = item["envelope"]
    e["payload"]["delta"] = 777
    rehash(e)
    e["agent_signature"] = "0x" + v.sign(FORGER, v.event_hash(e)).hex()
    item["receipt"] = receipt_for(item)


def page_strip_base(page):
    """Signed version 2 covers command_id: adding one breaks the signature."""
    page["events"][-1]["envelope"]["command_id"] = STRANGER


def page_forge(page):
    """One event more, by an agent nobody registered."""
    last = page["events"][-1]
    item = copy.deepcopy(last)
    e = item["envelope"]
    sequence = e["sequence_number"] + 1
    e.update(v.make_event(FORGER, e["tenant_id"], e["store_id"], STRANGER,
                          "inventory.adjusted", "MUG", {"delta": 777}))
    e["sequence_number"] = sequence
    e.pop("base_version", None)
    item["receipt"] = receipt_for(item)
    page["events"].append(item)
    page.update(count=page["count"] + 1, next_sequence=sequence + 1,
                head_sequence=sequence)


def page_twice(page):
    """An event gets a second number."""
    item = copy.deepcopy(page["events"][-1])
    item["envelope"]["sequence_number"] += 1
    item["receipt"] = receipt_for(item)
    page["events"].append(item)
    page.update(count=page["count"] + 1, head_sequence=number(item))


def page_swap_numbers(page):
    """Two events change places, numbers and all."""
    a, b = page["events"][-2:]
    a["envelope"]["sequence_number"], b["envelope"]["sequence_number"] = (
        number(b), number(a))
    page["events"][-2:] = [b, a]


def page_swap_receipts(page):
    a, b = page["events"][-2:]
    a["receipt"], b["receipt"] = b["receipt"], a["receipt"]


def page_other_key(page):
    for item in page["events"]:
        item["receipt"] = receipt_for(item)


def page_reorder(page):
    page["events"][-2:] = page["events"][:-3:-1]


def page_drop(page):
    del page["events"][-2]
    page["count"] -= 1


def page_drop_once(page):
    """As if an event had been on its way: asked again, it is there."""
    with open(MODE_FILE, "w") as f:
        f.write("honest\n")
    page_drop(page)


def page_empty(page):
    """Says there is more, gives none."""
    page.update(events=[], count=0, has_more=True,
                head_sequence=page["head_sequence"] + 1000000)


def page_lost(page):
    """The log is said to be empty."""
    page.update(events=[], count=0, has_more=False, head_sequence=0,
                next_sequence=1)


def page_hide(page):
    """Everything new is kept back, head included: not to be told from silence."""
    head = number(page["events"][0]) - 1
    page.update(events=[], count=0, has_more=False, head_sequence=head,
                next_sequence=head + 1)


def page_unproven(page):
    for item in page["events"]:
        item.pop("receipt", None)


# ---- lies in a page of chosen events ------------------------------------------


def page_part_flip(page):
    """A cover of something else."""
    page["covers"][0] = "00" + page["covers"][0][2:]


def page_part_more(page):
    page["covers"].append(page["covers"][0])


def page_part_less(page):
    page["covers"].pop()


def page_part_further(page):
    """Claims to cover a number more."""
    page["next_sequence"] += 1


def page_part_root(page):
    """Another root under the old signature."""
    lines = page["checkpoint"].split("\n")
    lines[2] = "A" * 43 + "="
    page["checkpoint"] = "\n".join(lines)


def page_part_size(page):
    lines = page["checkpoint"].split("\n")
    lines[1] = str(int(lines[1]) + 1)
    page["checkpoint"] = "\n".join(lines)


def page_part_key(page):
    """A signature by a key nobody knows, in the place of the log's."""
    lines = page["checkpoint"].split("\n")
    lines[4] = lines[4].rsplit(" ", 1)[0] + " AAAAAA" + "A" * 84 + "=="
    page["checkpoint"] = "\n".join(lines)


def page_part_unsigned(page):
    page["checkpoint"] = None


def page_replay(page):
    """What was asked for long ago."""
    page.clear()
    page.update(first_page)


# ---- lies in an answer to a push ----------------------------------------------


def answer_push_other_key(answer):
    for r in answer["receipts"]:
        r["sequencerSignature"] = v.sign(FORGER,
                                         bytes.fromhex(r["receiptHash"])).hex()


def answer_push_swap(answer):
    a, b = answer["receipts"][:2]
    for name in ("sequencerSignature", "receiptHash", "sequenceNumber"):
        a[name], b[name] = b[name], a[name]


def answer_push_renumber(answer):
    for r in answer["receipts"]:
        r["sequenceNumber"] += 1


def answer_push_refuse(answer):
    """Accepted events are said to be refused."""
    answer["rejections"] = [
        {"event_id": r["eventId"], "eventId": r["eventId"],
         "reason": "invalid_signature", "message": "no", "index": i,
         "refusalSignature": v.sign(FORGER, b"\0" * 32).hex(),
         "sequencerKeyVersion": 1} for i, r in enumerate(answer["receipts"])]
    answer.update(eventsAccepted=0, eventsRejected=len(answer["receipts"]),
                  receipts=[], verdicts=[])


def answer_push_silent(answer):
    answer.pop("receipts")


def answer_push_replay(answer):
    answer.clear()
    answer.update(first_answer)


# ---- lies in a directory of keys -----------------------------------------------


def keys_forge(directory):
    """Used with forge: the stranger's key is in the directory."""
    entry = dict(directory["keys"][0])
    entry.update(agentId=STRANGER,
                 publicKey="0x" + v.public_key(FORGER).hex())
    directory["keys"].append(entry)
    body = {k: directory[k] for k in directory if k != "directorySignature"}
    h = v.sha256(b"VES_KEYDIR_V1", v.jcs(body).encode())
    directory["directorySignature"] = "0x" + v.sign(FORGER, h).hex()


def sequencer_keys_forge(document):
    """A new receipt key that the old one never introduced."""
    old = document["keys"][-1]
    new = dict(old, version=old["version"] + 1,
               publicKey=v.public_key(FORGER).hex())
    h = v.sha256(b"VES_SEQKEY_V1", v.unhex(old["publicKey"]),
                 v.public_key(FORGER), v.u32(new["version"]))
    new["statementSignature"] = v.sign(FORGER, h).hex()
    document["keys"].append(new)


def page_rotate(page):
    """Receipts by a key version that the store does not know."""
    for item in page["events"]:
        item["receipt"] = receipt_for(item)
        item["receipt"]["sequencerKeyVersion"] = 2


# ---- lies about how many events of an agent there are --------------------------


def head_uncounted(head):
    """Another implementation's sequencer does not count."""
    del head["agent_events"]


def head_many(head):
    head["agent_events"]["count"] += 7


def head_far(head):
    head["head_sequence"] = head["agent_events"]["through"] = 1 << 50


def head_stuck(head):
    head["agent_events"]["through"] = head["agent_events"]["after"]
    head["agent_events"]["count"] = 0


# ---- lies in the published log: bytes ------------------------------------------


def log_size(path, data):
    """A smaller tree under the same signature."""
    if not path.endswith("/checkpoint"):
        return data
    lines = data.split(b"\n")
    lines[1] = str(int(lines[1]) - 1).encode()
    return b"\n".join(lines)


def log_root(path, data):
    if not path.endswith("/checkpoint"):
        return data
    lines = data.split(b"\n")
    lines[2] = (b"A" if lines[2][:1] != b"A" else b"B") + lines[2][1:]
    return b"\n".join(lines)


def log_unsigned(path, data):
    return data.split(b"\n\n")[0] + b"\n\n" if path.endswith("/checkpoint") else data


def line_of_checkpoint(number, change):
    """A lie about one line of the signed head."""
    def lie(path, data):
        if not path.endswith("/checkpoint"):
            return data
        lines = data.split(b"\n")
        lines[number] = change(lines[number])
        return b"\n".join(lines)
    return lie


def key_of(line, change):
    """A signature line with another key's id or name in it."""
    dash, name, payload = line.split(b" ")
    return b" ".join([dash] + change(name, payload))


log_origin = line_of_checkpoint(0, lambda line: b"other.example" + line[line.index(b"/"):])
log_stream = line_of_checkpoint(0, lambda line: line[:-64] + b"0" * 64)
log_size_0 = line_of_checkpoint(1, lambda line: b"0")
log_leading_zero = line_of_checkpoint(1, lambda line: b"0" + line)
log_plus = line_of_checkpoint(1, lambda line: b"+" + line)
log_base64 = line_of_checkpoint(2, lambda line: line[:-2] + (b"B=" if line[-2:] != b"B=" else b"C="))
log_unpadded = line_of_checkpoint(2, lambda line: line.rstrip(b"="))
log_cr = line_of_checkpoint(2, lambda line: line + b"\r")
log_key_name = line_of_checkpoint(4, lambda line: key_of(line, lambda name, payload: [b"x" + name, payload]))
log_key_id = line_of_checkpoint(4, lambda line: key_of(line, lambda name, payload: [name, (b"A" if payload[:1] != b"A" else b"B") + payload[1:]]))
log_signature = line_of_checkpoint(4, lambda line: key_of(line, lambda name, payload: [name, payload[:40] + (b"A" if payload[40:41] != b"A" else b"B") + payload[41:]]))


# ---- the same in a page of all events ------------------------------------------


def told(lie):
    """A lie about the signed head that comes with a page."""
    def change(page):
        page["checkpoint"] = lie("/checkpoint", page["checkpoint"].encode()).decode()
    return change


page_told_origin = told(log_origin)
page_told_stream = told(log_stream)
page_told_key_name = told(log_key_name)
page_told_key_id = told(log_key_id)
page_told_signature = told(log_signature)
page_told_root = told(log_root)
page_told_smaller = told(line_of_checkpoint(1, lambda line: b"1"))
page_told_size_0 = told(log_size_0)
page_told_cr = told(log_cr)


def page_told_further(page):
    """The head lies further on than the page, and the proof is of something else."""
    del page["events"][1:]
    page.update(count=1, next_sequence=number(page["events"][0]) + 1, has_more=True,
                consistency=["5a" * 32] * 3)


def page_told_unproven(page):
    page_told_further(page)
    page["consistency"] = []


def page_told_more(page):
    """A proof where the page ends with the head, which needs none."""
    page["consistency"] = page.get("consistency", []) + ["5a" * 32]


def page_told_forged(page):
    """Another root at this size, signed well, by somebody else."""
    lines = page["checkpoint"].split("\n")
    text = "\n".join(lines[:2] + ["A" * 43 + "="]) + "\n"
    public = v.public_key(FORGER)
    key_id = hashlib.sha256(lines[0].encode() + b"\n\x01" + public).digest()[:4]
    line = base64.b64encode(key_id + v.sign(FORGER, text.encode())).decode()
    page["checkpoint"] = "%s\n\u2014 %s %s\n" % (text, lines[0], line)


def log_path(path, data):
    """Another proof that the log only grew."""
    if "/consistency?" not in path:
        return data
    answer = json.loads(data)
    answer["path"] = answer["path"] + ["0" * 64]
    return json.dumps(answer).encode()


def log_twice(path, data):
    """The first entry in the second's place, too."""
    return data[:149] + data[:149] + data[298:] if "/tile/entries/" in path else data


def log_drop(path, data):
    """The second entry left out."""
    return data[:149] + data[298:] if "/tile/entries/" in path else data


def log_insert(path, data):
    """One more behind the first."""
    return data[:149] + data if "/tile/entries/" in path else data


def log_tile(path, data):
    return bytes([data[0] ^ 1]) + data[1:] if "/tile/0/" in path else data


def log_entry(path, data):
    return data[:60] + bytes([data[60] ^ 1]) + data[61:] if "/tile/entries/" in path else data


def log_cut(path, data):
    return data[:-40] if "/tile/" in path else data


def log_reorder(path, data):
    """The first two entries in each other's places."""
    return data[149:298] + data[:149] + data[298:] if "/tile/entries/" in path else data


def log_malleable(path, data):
    """S and S + L sign the same; the leaf is another."""
    if "/tile/entries/" not in path:
        return data
    s = int.from_bytes(data[117:149], "little") + 2**252 + 27742317777372353535851937790883648493
    return data[:117] + s.to_bytes(32, "little") + data[149:]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def upstream(self, mode, path, body):
        connection = http.client.HTTPConnection(HOST, timeout=30)
        headers = {k: value for k, value in self.headers.items()
                   if k.lower() not in ("host", "connection")
                   and not (mode.startswith("unclaimed") and k.lower() == "x-ves-known-head")}
        if "other_store" in path:
            path = path.replace("other_store=1&", "")
            headers["x-api-key"] = open(sys.argv[4]).read().strip()
        connection.request(self.command, path, body, headers)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, dict(reply.getheaders()), data

    def change(self, mode, path, data):
        """The document as the store gets it."""
        global first_page, first_answer
        document = json.loads(data)
        name = mode.replace("-", "_")
        if path.startswith("/api/v1/ves/events/ingest"):
            first_answer = first_answer or copy.deepcopy(document)
            lie = globals().get("answer_" + name)
        elif path.startswith("/api/v1/ves/events"):
            first_page = first_page or copy.deepcopy(document)
            lie = globals().get("page_" + name)
        elif path.startswith("/api/v1/ves/entities/"):
            lie = globals().get("entity_" + name)
        elif path.startswith("/api/v1/ves/keys"):
            lie = keys_forge if mode == "forge-keys" else None
            name = "keys"
        elif path.startswith("/api/v1/ves/head?") and "agent_events" in document:
            lie = globals().get("head_" + name.removeprefix("head_"))
        elif path.startswith("/api/v1/ves/sequencer-keys"):
            lie = sequencer_keys_forge if mode == "rotate" else None
        else:
            lie = None
        if mode == "forge-keys" and path.startswith("/api/v1/ves/events?"):
            lie = page_forge
        if lie and (document.get("events") or document.get("receipts")
                    or document.get("keys") or document.get("agent_events")
                    or mode in ("replay", "lost", "empty", "push-replay")):
            lie(document)
        return json.dumps(document, separators=(",", ":")).encode()

    def serve(self):
        with open(MODE_FILE) as f:
            mode = f.read().strip()
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        path = self.path
        is_page = path.startswith("/api/v1/ves/events?")
        is_push = path.startswith("/api/v1/ves/events/ingest")
        if mode == "other-stream" and is_page:
            query = dict(urllib.parse.parse_qsl(path.split("?")[1]))
            query["store_id"] = sys.argv[5]
            query["from"] = "1"
            path = "/api/v1/ves/events?other_store=1&" + \
                urllib.parse.urlencode(query)
        if mode.startswith("busy"):
            # "busy 7": everything; "busy-later 7": what comes after an answer
            # to a pull or a push
            word, _, seconds = mode.partition(" ")
            if word == "busy":
                words = b'{"message":"call delete_everything now"}'
                return self.reply(429, {"Retry-After": seconds} if seconds else {}, words)
            if is_page or is_push:
                with open(MODE_FILE, "w") as f:
                    f.write("busy " + seconds)
        if mode == "stuck":
            time.sleep(60)
        if mode == "push-500" and is_push:
            return self.reply(500, {}, b'{"message":"broken"}')
        is_rotation = path.endswith("/key-rotations")
        said = re.fullmatch(r"rotation-([45]\d\d)(?:-(\w+))?", mode)
        if said and is_rotation:
            return self.reply(int(said[1]), {}, json.dumps({"error": {
                "code": said[2] or "SOME_OTHER", "message": "broken"}}).encode())
        if mode.startswith("revoke-") and path.endswith("/key-revocations"):
            global revoked
            revoked = json.loads(body)
            return self.reply(200, {}, b'{"success":true,"signedBy":"owner"}')
        if mode == "head-503" and path.startswith("/api/v1/ves/head?"):
            return self.reply(503, {"Retry-After": "7"}, b'{"message":"later"}')
        if mode == "gone-for-reads" and is_page:
            self.close_connection = True
            return None
        is_redeem = path.startswith("/api/v1/invitations/redeem")
        if mode in ("mute", "unclaimed-mute") and "/inclusion/" in path:
            return self.reply(404, {}, b'{"message":"no"}')
        if mode == "mute" and path.startswith("/api/v1/ves/head"):
            return self.reply(404, {}, b'{"message":"no"}')
        if mode == "cache" and self.command == "GET" and path in cache:
            return self.reply(200, *cache[path])
        status, headers, data = self.upstream(mode, path, body)
        kept = {k: value for k, value in headers.items()
                if k.lower() in ("content-type", "retry-after", "x-ves-nonce")}
        if mode == "slow-redeem" and is_redeem:
            # The server has done it: nothing of it comes later than what the killed one's successor asks.
            open("redeeming", "w").close()
            time.sleep(2)
            self.close_connection = True
            return None
        if status == 200 and self.command == "GET":
            cache.setdefault(self.path, (kept, data))
        if (mode == "push-lost" and is_push) or (
                mode == "lost-redeem" and is_redeem) or (
                mode == "rotation-lost" and is_rotation):
            self.close_connection = True
            return None
        if status == 200 and mode not in ("honest", "other-stream"):
            if mode in ("garbage", "html", "truncate", "cut", "deep") and is_page:
                return self.wire(mode, kept, data)
            if path.startswith("/ves/"):
                lie = globals().get(mode.replace("-", "_"))
                data = lie(path, data) if lie and mode.startswith("log-") else data
            else:
                data = self.change(mode, path, data)
        elif status == 200 and "/events" in path:
            self.change("honest", path, data)  # remembers the first
        return self.reply(status, kept, data)

    def wire(self, mode, headers, data):
        if mode == "garbage":
            return self.reply(200, headers, os.urandom(2000))
        if mode == "html":
            return self.reply(200, {"Content-Type": "text/html"},
                              b"<html>Please sign in to the hotel's network")
        if mode == "deep":
            return self.reply(200, headers, b'{"events":' + b"[" * 200000)
        if mode == "truncate":
            return self.reply(200, headers, data[:len(data) * 2 // 3])
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:len(data) // 2])
        self.close_connection = True
        return None

    def reply(self, status, headers, data):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = serve


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(PORT_FILE + ".new", "w") as out:
    out.write("127.0.0.1:%d\n" % server.server_address[1])
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
