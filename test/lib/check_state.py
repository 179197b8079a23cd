"""check_state.py STORE.db [--hash HEX] [--cursor N]

A second opinion on one store, from its SQLite file alone:

 - own events: numbers without a hole, each naming the hash of the one before
   it, what each had seen never going back and never past the cursor,
   base_version and base_head as semantics.md 3.1 says;
 - the overlay: exactly the own events that are neither in the log nor refused
   with a signature, counted per entity, the newest of them its own head;
 - entities: versions, heads and counts as the log has them, states folded
   again from the log, state hashes, and with --hash the root over all of them
   (decision 14);
 - statuses: as counted, nothing synced without a receipt that verifies.
"""
import json
import sys
from decimal import Decimal

import vestest as v

LIMIT = Decimal(10)**12


# ---- folding (core/fold.h) ---------------------------------------------------


def patch(target, changes):
    """RFC 7396"""
    if not isinstance(changes, dict):
        return changes
    out = dict(target) if isinstance(target, dict) else {}
    for k, value in changes.items():
        if value is None:
            out.pop(k, None)
        else:
            out[k] = patch(out.get(k), value)
    return out


def quantity(value):
    """A decimal, or None when it is no quantity."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        d = Decimal(repr(value) if isinstance(value, float) else value)
    except ArithmeticError:
        return None
    if not d.is_finite() or abs(d) >= LIMIT or d != d.quantize(
            Decimal("0.000001")):
        return None
    return d


def number(d):
    """As a state holds it."""
    digits = d.normalize().as_tuple().digits
    if len(digits) <= 15:
        return int(d) if d == d.to_integral() else float(d)
    return format(d.normalize(), "f")


def fill(state, payload):
    for k, value in payload.items():
        state.setdefault(k, value)


def entry(state, name, key, value):
    table = state.get(name)
    state[name] = dict(table) if isinstance(table, dict) else {}
    state[name][key] = value


def known(state, name, key):
    table = state.get(name)
    return table.get(key) if isinstance(table, dict) else None


def totals(state, on_hand, reserved, has_reserved):
    state["on_hand"] = number(on_hand) if on_hand is not None else None
    if state["on_hand"] is None:
        del state["on_hand"]
    if has_reserved:
        state["reserved"] = number(reserved)
    state["available"] = number((on_hand or Decimal(0)) - reserved)


def amount_of(payload):
    if payload.get("quantity") is not None:
        return quantity(payload["quantity"])
    if payload.get("lines") is not None:
        return sum((quantity(line["quantity"]) for line in payload["lines"]),
                   Decimal(0))
    return None


def fold_inventory(state, what, payload):
    """False when it changes nothing, as the next."""
    on_hand = quantity(state["on_hand"]) if "on_hand" in state else None
    reserved = quantity(state.get("reserved", 0))
    if what == "adjusted":
        totals(state, (on_hand or Decimal(0)) + quantity(payload["delta"]),
               reserved, "reserved" in state)
    else:
        key = str(payload["reservation_id"])
        held = known(state, "reservations", key)
        amount = amount_of(payload)
        if what == "reserved":
            if held is not None:
                return False
            entry(state, "reservations", key,
                  dict(payload, quantity=number(amount)))
            totals(state, on_hand, reserved + amount, True)
        else:
            if held is None:
                return False
            had = quantity(held["quantity"])
            if amount is None or amount > had:
                amount = had
            entry(state, "reservations", key,
                  dict(held, quantity=number(had - amount)))
            if had == amount:
                del state["reservations"][key]
            totals(state, on_hand, reserved - amount, True)
            return True
    for name in ("product_id", "location_id"):
        if name in payload:
            state.setdefault(name, payload[name])
    return True


def fold_payment(state, what, payload):
    if what == "completed":
        if not isinstance(state.get("refunds"), dict):
            state["status"] = "completed"
        fill(state, payload)
        state["completed_minor"] = payload["amount_minor"]
        return True
    key = str(payload["refund_id"])
    if known(state, "refunds", key) is not None:
        return False
    entry(state, "refunds", key, payload)
    state["refunded_minor"] = (state.get("refunded_minor") or 0) + payload[
        "amount_minor"]
    state["status"] = "refunded"
    return True


def fold(state, e):
    """The state after e, state being None before the first."""
    payload = {k: x for k, x in e["payload"].items() if k != "_ves"}
    context = e["payload"].get("_ves")
    entity, _, what = e["event_type"].partition(".")
    kinds = {"order": ("created", "updated", "shipped", "cancelled"),
             "inventory": ("adjusted", "reserved", "released"),
             "customer": ("created", "updated"),
             "payment": ("created", "completed", "refunded"),
             "return": ("created", "approved", "rejected")}
    if what not in kinds.get(entity, ()):
        return state
    if context and not context["schema"].endswith("/1"):
        return state
    out = dict(state or {})
    if what == "created":
        fill(out, payload)
        out.setdefault("status",
                       "requested" if entity == "return" else "created")
    elif what == "updated":
        out = patch(out, {k: x for k, x in payload.get("patch", payload).items()
                          if k != "_ves"})
    elif what == "shipped":
        key = str(payload.get("shipment_id", e["event_id"]))
        entry(out, "shipments", key,
              {**payload, **(known(out, "shipments", key) or {})})
        out["status"] = "shipped"
    elif what in ("cancelled", "approved", "rejected"):
        name = {"cancelled": "cancellation", "approved": "approval",
                "rejected": "rejection"}[what]
        out[name] = payload
        out["status"] = what
    else:
        rule = fold_inventory if entity == "inventory" else fold_payment
        if not rule(out, what, payload):
            return state
    return out


# ---- what the log says -------------------------------------------------------


class Entity:
    def __init__(self, kind, name):
        self.kind, self.name = kind, name
        self.events, self.last, self.state = 0, 0, None
        self.applied = []  # (sequence, hash)
        self.own = []  # hashes of the overlay


def key_of(kind, name):
    return v.sha256(kind.encode(), b"\0", name.encode())


def read_log(db, problems):
    entities, places, is_pruned = {}, {}, False
    for i, row in enumerate(db.execute("SELECT * FROM ves_events ORDER BY id")):
        sequence = row["sequence_number"]
        problems.unless(sequence == i + 1, "the log has number %d in place %d" %
                        (sequence, i + 1))
        event_id = v.uuid_text(row["event_id"])
        problems.unless(event_id not in places, "the log has %s twice" %
                        event_id)
        places[event_id] = sequence
        if row["envelope"] == "":
            is_pruned = True
            continue
        e = json.loads(row["envelope"] + "}")
        h = v.event_hash(e)
        problems.unless(h == bytes(row["event_hash"]),
                        "number %d: another hash" % sequence)
        key = key_of(e["entity_type"], e["entity_id"])
        entity = entities.setdefault(key, Entity(e["entity_type"],
                                                 e["entity_id"]))
        entity.events += 1
        entity.last = sequence
        if row["verdict"] == "applied":
            entity.applied.append((sequence, h))
            entity.state = fold(entity.state, e)
    return entities, places, is_pruned


# ---- own events --------------------------------------------------------------


def check_base(row, e, own, entities, places, problems):
    """own: earlier own events of the entity, (sequence or 0, hash, refused)."""
    c, words = e["payload"]["_ves"], "own event %d: " % row["agent_seq"]
    if e.get("base_version") is None:
        problems.unless("base_head" not in c, words + "a head without a version")
        return
    key = key_of(e["entity_type"], e["entity_id"])
    applied = [a for a in entities[key].applied if a[0] <= c["seen"]
              ] if key in entities else []
    above = [o for o in own if not 0 < o[0] <= c["seen"]]
    least = len(applied) + len([o for o in above if not o[2]])
    problems.unless(least <= e["base_version"] <= len(applied) + len(above),
                    words + "base_version %d, should be %d" %
                    (e["base_version"], least))
    heads = [o[1] for o in above] or [a[1] for a in applied[-1:]]
    if e["base_version"] == 0:
        problems.unless("base_head" not in c, words + "a head of nothing")
    elif not any(o[2] for o in above):
        problems.unless(c.get("base_head") == "0x" + heads[-1].hex(),
                        words + "another base_head")


def check_own(db, entities, places, cursor, problems):
    last, seen, number = None, 0, 0
    by_entity, counts = {}, {}
    keys = pinned(db)
    for row in db.execute("SELECT * FROM ves_outbox ORDER BY agent_seq"):
        number += 1
        words = "own event %d: " % row["agent_seq"]
        event_id = v.uuid_text(row["event_id"])
        at = places.get(event_id, 0)
        counts[row["status"]] = counts.get(row["status"], 0) + 1
        problems.unless(row["agent_seq"] == number,
                        words + "it should be %d" % number)
        number = row["agent_seq"]
        problems.unless(not at or row["sequence_number"] == at,
                        words + "it does not know its number %d" % at)
        problems.unless(bool(row["is_in_overlay"]) ==
                        (not at and not row["is_refused"]),
                        words + "in the overlay: %d, in the log: %d, refused: %d"
                        % (row["is_in_overlay"], at, row["is_refused"]))
        if row["status"] == "synced":
            check_receipt(row, keys, problems, words)
        key, h = bytes(row["entity_key"]), bytes(row["event_hash"])
        own = by_entity.setdefault(key, [])
        if row["is_in_overlay"]:
            entity = entities.setdefault(key, Entity(row["entity_type"],
                                                     row["entity_id"]))
            entity.own.append((row["local_seq"], h))
        if row["envelope"]:
            e = json.loads(row["envelope"])
            c = e["payload"]["_ves"]
            problems.unless(v.event_hash(e) == h, words + "another hash")
            problems.unless(c["agent_seq"] == number, words + "another number")
            problems.unless(c.get("prev") == (last and "0x" + last.hex()),
                            words + "it does not name the one before it")
            problems.unless(seen <= c["seen"] <= cursor,
                            words + "it has seen %d after %d, the cursor is %d"
                            % (c["seen"], seen, cursor))
            seen = c["seen"]
            check_base(row, e, own, entities, places, problems)
        own.append((row["sequence_number"], h, bool(row["is_refused"])))
        last = h
    for row in db.execute("SELECT status, count FROM ves_counts UNION ALL"
                          " SELECT 'pending', pending FROM ves_status_view"):
        problems.unless(row["count"] == counts.get(row["status"], 0),
                        "%d rows are counted as %s, there are %d" %
                        (row["count"], row["status"],
                         counts.get(row["status"], 0)))


def pinned(db):
    """{version: key} this store believes."""
    value = db.execute("SELECT value FROM ves_meta WHERE name ="
                       " 'sequencer.keys'").fetchone()[0]
    if isinstance(value, bytes):
        value = value.decode()
    return {int(line.split()[0]): bytes.fromhex(line.split()[1])
            for line in value.split("\n") if line}


checked = 0


def check_receipt(row, keys, problems, words):
    global checked
    if not problems.unless(row["receipt"] is not None,
                           words + "synced without a receipt"):
        return
    checked += 1
    if checked > 20 or not row["envelope"]:
        return
    e = json.loads(row["envelope"])
    problems.unless(v.verify(keys[row["receipt_key_version"]],
                             v.receipt_hash(e, row["sequence_number"]),
                             bytes(row["receipt"])),
                    words + "synced, and its receipt does not verify")


# ---- entities and the root ---------------------------------------------------


def check_entities(db, entities, is_pruned, problems):
    rows = {bytes(r["entity_key"]): r
            for r in db.execute("SELECT * FROM ves_entities")}
    for key, entity in entities.items():
        row = rows.get(key)
        words = "%s %r: " % (entity.kind, entity.name)
        if not problems.unless(row, words + "it is not there"):
            continue
        own = sorted(entity.own)
        problems.unless(row["own_events"] == len(own),
                        words + "%d own events counted, there are %d" %
                        (row["own_events"], len(own)))
        problems.unless((bytes(row["own_head"] or b"")) ==
                        (own[-1][1] if own else b""), words + "own head")
        if is_pruned:
            continue
        problems.unless((row["entity_type"], row["entity_id"]) ==
                        (entity.kind, entity.name), words + "named otherwise")
        problems.unless(row["events"] == entity.events and
                        row["last_sequence"] == entity.last,
                        words + "count or last number")
        problems.unless(row["version"] == len(entity.applied),
                        words + "version %d, should be %d" %
                        (row["version"], len(entity.applied)))
        if entity.applied:
            problems.unless((row["head_applied_at"], bytes(row["head"])) ==
                            entity.applied[-1], words + "head")
        state = json.loads(row["state"]) if row["state"] else None
        problems.unless(state == entity.state, words + "state\n  is        %s\n"
                        "  should be %s" % (row["state"],
                                            json.dumps(entity.state)))
    for key in set(rows) - set(entities) if not is_pruned else ():
        # What is left of an entity whose only events were refused.
        row = rows[key]
        problems.unless(not row["events"] and not row["version"] and
                        not row["own_events"] and not row["state"],
                        "%s %r: nobody speaks of it" % (row["entity_type"],
                                                        row["entity_id"]))
    return rows


def root(rows):
    buckets = [[] for _ in range(4096)]
    for key, row in sorted(rows.items()):
        if row["state"]:
            buckets[int.from_bytes(key[:2], "big") >> 4].append(
                key + v.sha256(row["state"].encode()))
    level = [v.sha256(b"VES_STATE_BUCKET_V1", *pairs) for pairs in buckets]
    while len(level) > 1:
        level = [v.sha256(b"VES_STATE_NODE_V1", a, b)
                 for a, b in zip(level[::2], level[1::2])]
    return level[0].hex()


def option(args, name):
    if name not in args:
        return None
    at = args.index(name)
    value = args[at + 1]
    del args[at:at + 2]
    return value


def main():
    args = sys.argv[1:]
    wanted, cursor = option(args, "--hash"), option(args, "--cursor")
    problems = v.Problems()
    db = v.open_store(args[0])
    db.execute("BEGIN")
    entities, places, is_pruned = read_log(db, problems)
    if cursor is not None:
        problems.unless(len(places) == int(cursor), "the log ends at %d, the "
                        "cursor is %s" % (len(places), cursor))
    check_own(db, entities, places, len(places), problems)
    rows = check_entities(db, entities, is_pruned, problems)
    for row in rows.values():
        problems.unless(bytes(row["state_hash"] or b"") ==
                        (v.sha256(row["state"].encode()) if row["state"]
                         else b""), "%s: state hash" % row["entity_id"])
    if wanted is not None:
        problems.unless(root(rows) == wanted.lower(),
                        "the root is %s, the store says %s" %
                        (root(rows), wanted))
    print("%d numbers, %d entities, %d own events" %
          (len(places), len(rows), sum(1 for _ in db.execute(
              "SELECT 1 FROM ves_outbox"))))
    problems.end()


main()
