"""vestest.py -- VES said a second time, for the end-to-end tests.

Written from the protocol, not from the C code, and with the standard library
only: hashes, signatures, envelopes, rows of a store's SQLite file.  Slow and
plain on purpose (Ed25519 takes some milliseconds a signature).
"""
import base64
import hashlib
import json
import sqlite3
import struct
import sys
import uuid

# ---- Ed25519, RFC 8032 section 5.1 ------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def _add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    z = 2 * a[3] * b[3] * D % P
    w = 2 * a[2] * b[2] % P
    e, f, g, h = y - x, w - z, w + z, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _mul(s, point):
    out = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            out = _add(out, point)
        point = _add(point, point)
        s >>= 1
    return out


def _recover(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


_GY = 4 * pow(5, P - 2, P) % P
_GX = _recover(_GY, 0)
G = (_GX, _GY, 1, _GX * _GY % P)


def _pack(point):
    z = pow(point[2], P - 2, P)
    x, y = point[0] * z % P, point[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _unpack(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = _recover(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expand(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little")
    return a & (1 << 254) - 8 | 1 << 254, h[32:]


def public_key(seed):
    return _pack(_mul(_expand(seed)[0], G))


def sign(seed, message):
    a, prefix = _expand(seed)
    key = _pack(_mul(a, G))
    r = _scalar(prefix, message) % L
    big_r = _pack(_mul(r, G))
    s = (r + _scalar(big_r, key, message) % L * a) % L
    return big_r + s.to_bytes(32, "little")


def verify(key, message, signature):
    a, r = _unpack(key), _unpack(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = _scalar(signature[:32], key, message) % L
    return _pack(_mul(s, G)) == _pack(_add(r, _mul(h, a)))


# ---- encodings (protocol.md A.1, A.3) ---------------------------------------


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def text(s):
    b = s.encode("utf-8")
    return u32(len(b)) + b


def raw_uuid(s):
    return uuid.UUID(s).bytes


def unhex(s):
    return bytes.fromhex(s[2:] if s.startswith("0x") else s)


def jcs(value):
    """RFC 8785 for what the tests use: no fractions, no huge numbers."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: k.encode("utf-16-be"))
        return "{" + ",".join(jcs(k) + ":" + jcs(value[k]) for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(jcs(v) for v in value) + "]"
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= 2**53:
            raise ValueError("vestest.jcs does not do fractions")
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


# ---- events (A.4, A.5), receipts (A.9), leaves (A.6), refusals ---------------


def payload_hash(payload):
    return sha256(b"VES_PAYLOAD_PLAIN_V1", jcs(payload).encode())


def event_hash(e):
    version = e["ves_version"]
    h = sha256(
        b"VES_EVENTSIG_V1", u32(version), raw_uuid(e["tenant_id"]),
        raw_uuid(e["store_id"]), raw_uuid(e["event_id"]),
        raw_uuid(e["source_agent_id"]), u32(e["agent_key_id"]),
        text(e["entity_type"]), text(e["entity_id"]), text(e["event_type"]),
        text(e["created_at"]), u32(e["payload_kind"]),
        unhex(e["payload_plain_hash"]), unhex(e["payload_cipher_hash"]))
    if version == 1:
        return h
    command, base = e.get("command_id"), e.get("base_version")
    return sha256(
        b"VES_EVENTSIG_V2", h,
        b"\0" if command is None else b"\1" + raw_uuid(command),
        b"\0" if base is None else b"\1" + u64(base))


def receipt_hash(e, sequence):
    return sha256(b"VES_RECEIPT_V1", raw_uuid(e["tenant_id"]),
                  raw_uuid(e["store_id"]), raw_uuid(e["event_id"]),
                  u64(sequence), event_hash(e))


def leaf_hash(e, sequence):
    return sha256(b"VES_LEAF_V1", raw_uuid(e["tenant_id"]),
                  raw_uuid(e["store_id"]), u64(sequence), event_hash(e),
                  unhex(e["agent_signature"]))


def node_hash(left, right):
    return sha256(b"VES_NODE_V1", left, right)


def stream_id(tenant, store):
    return sha256(b"VES_STREAM_V1", raw_uuid(tenant), raw_uuid(store))


def refusal_hash(tenant, store, element, reason):
    return sha256(b"VES_REFUSAL_V1", stream_id(tenant, store),
                  sha256(element), text(reason))


def merkle_root(leaves):
    level = list(leaves)
    while len(level) & (len(level) - 1):
        level.append(sha256(b"VES_PAD_LEAF_V1"))
    while len(level) > 1:
        level = [node_hash(a, b) for a, b in zip(level[::2], level[1::2])]
    return level[0]


def make_event(seed, tenant, store, agent, event_type, entity_id, payload,
               version=2, event_id=None, key_id=1, command=None, base=None,
               created_at="2026-11-22T12:00:00.000Z"):
    """A signed envelope of another implementation's agent (no "_ves")."""
    e = {"ves_version": version, "event_id": event_id or str(uuid.uuid4()),
         "tenant_id": tenant, "store_id": store, "source_agent_id": agent,
         "agent_key_id": key_id, "entity_type": event_type.split(".")[0],
         "entity_id": entity_id, "event_type": event_type,
         "created_at": created_at, "payload_kind": 0, "payload": payload,
         "payload_plain_hash": "0x" + payload_hash(payload).hex(),
         "payload_cipher_hash": "0x" + "00" * 32}
    if command is not None:
        e["command_id"] = command
    if base is not None:
        e["base_version"] = base
    e["agent_signature"] = "0x" + sign(seed, event_hash(e)).hex()
    return e


def invitation(string):
    body = string.strip()[len("ves1."):]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


# ---- stores -----------------------------------------------------------------


def open_store(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=20)
    db.row_factory = sqlite3.Row
    return db


def uuid_text(raw):
    return str(uuid.UUID(bytes=bytes(raw)))


def sequencer_keys(hub):
    """{version: public key} as a sequencer's own file says."""
    row = hub.execute(
        "SELECT value FROM ves_meta WHERE name = 'sequencer.keys'").fetchone()
    return {k["version"]: unhex(k["publicKey"]) for k in json.loads(row[0])}


class Problems:
    """Collects what is wrong; at the end prints it and leaves with 1."""

    def __init__(self):
        self.count = 0

    def say(self, words):
        self.count += 1
        if self.count <= 20:
            print(words)

    def unless(self, condition, words):
        if not condition:
            self.say(words)
        return condition

    def end(self):
        if self.count:
            sys.exit("%d problems" % self.count)
