#!/usr/bin/env python3
"""The simulator's histories against the reference model.

usage: judge_sim.py SPEC_DIR VES_SIM [OPTION ...]

Runs the simulator and reads the histories that it exports.  Every event is read from what its author
signed (what it does is worked out here, from its type and payload, not taken
from the product), judge.py judges the log event by event, and at the end of it
must be the same: verdicts, sub-codes, the number an event was applied at, its
version, conflict ids, their members on both sides, type and who closed them,
versions, heads, tombstones and states of the entities.

What the model leaves out is projected where that says the same:

* an event without causal context has seen all before it, and is the whole
  entity to others (decision 5);
* an intent whose type needs no base, and that names none, has the right one
  and is on no branch of its author's (3.2);
* the members of an atomic group, of which none is held back, are events of
  their own that are applied with the last of them (decision 17).

A group of which one is held back has no counterpart.  Its entities, and those
of events that depend on them, are left out from there on, and counted.
"""
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from hashlib import sha256

import judge_driver  # what the product knowingly does otherwise
from judge_driver import judge

# ---- values and paths --------------------------------------------------------
#
# The model compares (path, kind, value).  A value says, besides, where and how
# it is written; that is no part of the comparison.


class Value(str):
    at = how = None


def value(node, how="set", at=None):
    v = Value(json.dumps(node, sort_keys=True, separators=(",", ":")))
    v.how, v.at = how, at
    return v


LADDERS = {"order": ("created", "confirmed", "processing", "shipped", "delivered"),
           "return": ("requested", "approved", "received", "refunded", "completed")}


def rank(kind, word):
    ladder = LADDERS[kind]
    word = word and json.loads(word)
    return ladder.index(word) if word in ladder else -1


def commute(x, y):
    """As the model's; a path also overlaps those inside it (3.2)."""
    return all(p == q and ((k, v) == (m, w) or k == m == "add")
               for p, k, v in x for q, m, w in y if overlap(p, q))


def overlap(p, q):
    return (p == q or "*" in (p, q) or p.startswith(q + "/") or q.startswith(p + "/"))


def whole(state, p):
    """What is at p when some of it was written at paths inside, or p inside another path."""
    def inside(node, names):
        for name in names:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    outer = max((q for q in state if p.startswith(q + "/") and state[q] is not None), key=len, default=None)
    if p in state:
        node = None if state[p] is None else json.loads(str(state[p]))
    else:
        node = outer and inside(json.loads(str(state[outer])), p[len(outer) + 1:].split("/"))
    for q in [q for q in state if q.startswith(p + "/")]:
        names = q[len(p) + 1:].split("/")
        if state[q] is None:  # what was taken back leaves nothing to hold it
            at = inside(node, names[:-1])
            at.pop(names[-1], None) if isinstance(at, dict) else None
            continue
        node = at = node if isinstance(node, dict) else {}
        for name in names[:-1]:
            at = at.setdefault(name, {})
        at[names[-1]] = json.loads(str(state[q]))
    return None if node is None else value(node)


def put(state, p, v):
    """What was written inside p is gone."""
    within = [q for q in state if q.startswith(p + "/")]
    has_outer = p not in state and any(p.startswith(q + "/") for q in state)
    old = whole(state, p) if within or has_outer else state.get(p)
    for q in within:
        del state[q]
    state[p] = v
    return (p, "set", Value(old) if isinstance(old, str) else old)


def fold(state, eff):
    """Does the effects; gives back their opposite."""
    inverse, born = [], None
    for p, kind, v in eff:
        how, p = getattr(v, "how", None), getattr(v, "at", None) or p
        if kind == "new":
            state.setdefault(p, True)
            born = how
        elif kind == "del" or kind == "restore":
            is_dead = kind == "del"
            if bool(state.get("*")) != is_dead:
                inverse.append(("*", "restore" if is_dead else "del", 0))
            state["*"] = is_dead
        elif kind == "whole":
            pass
        elif how == "fill":
            if not any(state[q] is not None and q not in ("*", "@") and overlap(p, q) for q in state):
                put(state, p, v)
        elif isinstance(v, int) and kind == "add":
            state[p] = int(json.loads(str(state.get(p) or 0))) + v
            inverse.append((p, "add", -v))
        elif how in LADDERS:
            old = put(state, p, v)
            if rank(how, old[2]) >= 0 and rank(how, old[2]) >= rank(how, v):
                state[p] = old[2]
            inverse.append(old)
        elif how == "join":
            old = json.loads(state.get(p) or "[]")
            inverse.append(put(state, p, value(old + [t for t in json.loads(v) if t not in old])))
        else:
            inverse.append(put(state, p, v))
    if born and state.get("state") is None:
        state["state"] = value(born)
    return tuple(reversed(inverse))


class NoBase:
    """Is the right one, whatever that is."""

    def __eq__(self, other):
        return True

    def __lt__(self, other):
        return False

    __ne__ = __gt__ = __lt__
    __hash__ = None


NO_BASE = NoBase()
own_above = judge.Judge.own_above


def own_upon_base(self, y):
    own = own_above(self, y)
    return [x for x in own if self.verdict[x.id] == "applied"] if y.bver is NO_BASE else own


judge.commute, judge.apply_eff = commute, fold
judge.Judge.own_above = own_upon_base

# ---- what events do ----------------------------------------------------------

FACTS = {"inventory.adjusted", "inventory.counted", "loyalty.earned", "order.shipped", "order.delivered"}


def leaves(path, node, how, at=None):
    for name, inner in node.items():
        p, a = path + "/" + name, at and at + "/" + name
        if isinstance(inner, dict) and inner:
            yield from leaves(p, inner, how, a)
        else:
            yield (p, "set", None if inner is None and how == "set" else value(inner, how, a))


def born(payload, status):
    return [("@", "new", value(payload, status))] + list(leaves("", payload, "fill"))


def edit(payload):
    return list(leaves("", payload.get("patch", payload), "set"))


def advance(kind, word):
    return ("state", "add", value(word, kind))


def status(word):
    return ("state", "set", value(word))


def goods(kind, word, payload, event_id):
    return [advance("order", word)] + list(leaves("/%s/" % kind, payload, "fill", "/%s/%s" % (kind, event_id)))


EFFECTS = {
    "customer.created": lambda p, i: born(p, "created"),
    "customer.updated": lambda p, i: edit(p),
    "customer.consent_changed": lambda p, i: [("/consents/" + p["purpose"], "set", value(p))],
    "customer.deleted": lambda p, i: [("*", "del", 0)],
    "order.created": lambda p, i: born(p, "created"),
    "order.updated": lambda p, i: edit(p),
    "order.tagged": lambda p, i: [("/tags", "add", value(p["tags"], "join"))],
    "order.cancelled": lambda p, i: [status("cancelled"), ("/cancellation", "set", value(p))],
    "order.shipped": lambda p, i: goods("shipments", "shipped", p, i),
    "order.delivered": lambda p, i: goods("deliveries", "delivered", p, i),
    "return.approved": lambda p, i: [advance("return", "approved"), ("/approval", "set", value(p))],
    "return.rejected": lambda p, i: [status("rejected"), ("/rejection", "set", value(p))],
    "inventory.adjusted": lambda p, i: [("/on_hand", "add", int(p["delta"]))],
    "inventory.counted": lambda p, i: [("/on_hand", "set", value(p["counted"]))],
    "loyalty.earned": lambda p, i: [("/points", "add", p["points"])],
}


def operation(op, kind):
    path = "state" if op.get("path") == "/status" else op.get("path")
    name, node = op["op"], op.get("value")
    if name in ("delete", "restore"):
        return ("*", "del" if name == "delete" else "restore", 0)
    if name == "delta":
        return (path, "add", int(node))
    if name == "advance":
        return (path, "add", value(node, kind))
    if name == "add_to_set":
        return (path, "add", value(node if isinstance(node, list) else [node], "join"))
    assert name in ("set", "transition"), name
    return (path, "set", None if "value" not in op else value(node))


def conflict_id(stream, k):
    text = b"VES_CONFLICT_V1" + stream + bytes.fromhex(k[0]) + b"".join(map(bytes.fromhex, k[1]))
    return sha256(text).hexdigest()


def hash_of(text):
    return text and text[2:]


class History:
    def __init__(self, line):
        self.line = line
        self.stream = sha256(b"VES_STREAM_V1" + b"".join(bytes.fromhex(u.replace("-", "")) for u in line["stream"])).digest()
        self.judge = judge.Judge()
        self.judge.hist = defaultdict(list)     # an undo may concern what was never written
        self.ids = {}                   # event id -> its hash
        self.out = {}                   # entity left out -> why
        self.group, self.is_held = [], False
        self.groups = []                # the entities of each
        self.together = {}              # member of a group -> number of its last

    def entity(self, event):
        return event["entity_type"] + "/" + event["entity_id"]

    def resolution(self, payload):
        named, k = hash_of(payload["conflict_id"]), None
        for known in self.judge.conflicts:
            if conflict_id(self.stream, known) == named:
                k = known
        winner = "undo" if payload["supersedes"] else payload["winner"]
        inputs = tuple(hash_of(i["hash"]) for i in payload["inputs"] if i["role"] == "branch")
        return (k or ("unknown " + named, ()), winner, inputs, hash_of(payload["supersedes"]), False)

    def model_event(self, row, seq):
        """What the author says, in the model's words."""
        event, res = row["event"], None
        context = event["payload"].get("_ves")
        payload = {k: v for k, v in event["payload"].items() if k != "_ves"}
        kind, ent = event["event_type"], self.entity(event)
        if not context:
            fact, eff = False, [("*", "whole", row["hash"])]
        elif kind == "ves.conflict.resolved":
            fact, res = False, self.resolution(payload)
            ops = payload["result"]["ops"] if payload["result"] else []
            eff = [operation(o, event["entity_type"]) for o in ops]
        else:
            fact = kind in FACTS or (kind == "order.created" and payload.get("origin") not in ("web", "draft"))
            eff = EFFECTS[kind](payload, event["event_id"])
        head = context and hash_of(context.get("base_head"))
        if not context:
            context, head = {"agent_seq": 0, "seen": seq - 1}, self.judge.head(ent)
            event = dict(event, base_version=self.judge.ver(ent))
        if "base_version" not in event and not fact:
            event, head = dict(event, base_version=NO_BASE), NO_BASE
        ref = payload["patch"].get("customer_id") if kind == "order.updated" and "patch" in payload else None
        deps = tuple(self.ids.get(d, d) for d in context.get("deps", ()))
        return judge.Event(row["hash"], event["source_agent_id"], context["agent_seq"], context["seen"],
                           event.get("base_version"), head, ent, fact, tuple(eff), deps,
                           ref and "customer/" + ref, res, frozenset())

    # ---- groups --------------------------------------------------------------

    def leave_out(self, ent, why):
        self.out.setdefault(ent, why)

    def spread(self):
        """What befalls one member of a group befalls all, and who depends on one."""
        bonds = [(group, group) for group in self.groups]
        for y in self.judge.log:
            named = {self.judge.ev[d].ent for d in y.deps if d in self.judge.ev} | ({y.ref} if y.ref else set())
            bonds += [(named, {y.ent})] if named else []
        size = -1
        while size < len(self.out):
            size = len(self.out)
            for ents, heirs in bonds:
                for why in [self.out[e] for e in ents if e in self.out][:1]:
                    for e in heirs:
                        self.leave_out(e, why)

    def member(self, y, is_last, has_freed):
        self.group.append(y)
        self.is_held |= self.judge.verdict[y.id] != "applied" or (has_freed and not is_last)
        if is_last:
            self.groups.append({x.ent for x in self.group})
            for x in self.group:
                self.together[x.id] = len(self.judge.log)
                if self.is_held:
                    self.leave_out(x.ent, "group held back")
            self.group, self.is_held = [], False

    def step(self, row, seq):
        j, cmd = self.judge, row["event"]["payload"].get("_ves", {}).get("cmd")
        y = self.model_event(row, seq)
        before = dict(j.verdict)
        self.ids[row["event"]["event_id"]] = y.id
        j.step(y)
        # a dependency may name an event that comes later
        freed = [i for i, v in j.verdict.items() if i != y.id and before[i] != v]
        if cmd:
            self.member(y, cmd["index"] + 1 == cmd["count"], bool(freed))
        return y

    # ---- the comparison ------------------------------------------------------

    def fail(self, what, *more):
        print("seed %d: %s" % (self.line["seed"], what))
        for text in more:
            print("  ", text)
        sys.exit(1)

    def same(self, what, want, got, *more):
        if want != got:
            self.fail(what, "the model says   %s" % (want,), "the product says %s" % (got,), *more)

    def run(self, met):
        j, rows, left = self.judge, self.line["events"], Counter()
        names = {r["event"]["event_id"]: r["hash"] for r in rows}
        self.ids.update(names)
        for seq, row in enumerate(rows, 1):
            self.step(row, seq)
        self.spread()
        at = {i: (self.together.get(i, t), n + 1) for h in j.hist.values() for n, (t, i) in enumerate(h)}
        for seq, (row, y) in enumerate(zip(rows, j.log), 1):
            if y.ent in self.out:
                left[self.out[y.ent]] += 1
                continue
            verdict, sub = j.verdict[y.id], j.sub.get(y.id, "")
            met["events"] += 1
            met[("%s %s" % (verdict, sub)).strip()] += 1
            if y.res and verdict == "applied":
                met["applied " + y.res[1]] += 1
            if y.res and row["event"]["payload"]["resolver"] == "policy":
                met["by policy, " + verdict] += 1
            k = j.kid.get(y.id) if verdict != "waiting" else None
            named = k and (k[0][8:] if k[0].startswith("unknown ") else conflict_id(self.stream, k))
            self.same("number %d, %s" % (seq, row["event"]["event_type"]),
                      (verdict, sub, named) + at.get(y.id, (0, 0)),
                      (row["verdict"], row["sub"], row["conflict"], row["applied"], row["version"]), row)
        self.same_conflicts(met)
        self.same_entities(met)
        return left

    def same_conflicts(self, met):
        j = self.judge
        want = {conflict_id(self.stream, k): ([j.seq[i] for i in c["branch"]], sorted(j.seq[i] for i in c["applied"]),
                                              j.seq[c["by"]] if c["by"] else 0, c["type"])
                for k, c in j.conflicts.items() if c["ent"] not in self.out}
        got = {c["id"]: (c["branch"], sorted(c["applied"]), c["closed"], c["type"]) for c in self.line["conflicts"]
               if j.log[c["branch"][0] - 1].ent not in self.out}
        met["conflicts"] += len(want)
        self.same("conflicts", want, got)

    def same_entities(self, met):
        j = self.judge
        for e in self.line["entities"]:
            ent = e["type"] + "/" + e["id"]
            if ent in self.out:
                continue
            met["entities"] += 1
            tomb = j.tomb.get(ent)
            self.same(ent, (j.ver(ent), j.head(ent) or "0" * 64, j.seq[tomb] if tomb else 0),
                      (e["version"], e["head"], e["tombstone"]))
            if not any("whole" in (o[1] for o in j.ev[i].eff) for _, i in j.hist.get(ent, ())):
                met["states"] += 1
                self.same_state(ent, j.state.get(ent, {}), e["state"] or {})

    def same_state(self, ent, model, state):
        want = {"/status" if p == "state" else p: plain(v) for p, v in model.items()
                if v is not None and p not in ("*", "@")}
        got = {p: plain(v) for p, k, v in leaves("", state, "fill")}
        got.pop("/available", None)     # the difference of two others
        flat = {}
        for p, v in want.items():
            node = json.loads(v)
            flat.update({q: plain(w) for q, _, w in leaves(p, node, "fill")} if isinstance(node, dict) and node
                        else {p: v})
        self.same("state of " + ent, flat, got)


def plain(v):
    """Quantities are texts in events and numbers in states."""
    node = json.loads(str(v)) if isinstance(v, str) else v
    if isinstance(node, str) and node.lstrip("-").isdigit():
        node = int(node)
    return json.dumps(node, sort_keys=True, separators=(",", ":"))


# What a hundred histories of `--quarrel` have: a simulator gone poor is noticed.
MUST_MEET = ("applied branch", "applied applied", "applied merge", "applied undo", "waiting",
             "conflict same_field", "conflict state_transition", "conflict create_create", "conflict edit_delete",
             "conflict fact_fact", "conflict tail", "conflict closed_branch", "conflict concurrent_delete",
             "conflict known_deleted", "conflict ref_deleted", "superseded already_resolved", "superseded branch_grew",
             "superseded head_moved", "by policy, applied", "by policy, superseded")


def main():
    met, left, histories = Counter(), Counter(), 0
    ours, theirs = os.pipe()
    simulator = subprocess.Popen(sys.argv[2:] + ["--export", "/dev/fd/%d" % theirs], pass_fds=[theirs])
    os.close(theirs)
    for text in open(ours):
        histories += 1
        left += History(json.loads(text)).run(met)
    status = simulator.wait()
    if status or not histories:
        sys.exit("the simulator ended with %d after %d histories" % (status, histories))
    never = [name for name in MUST_MEET if not met[name]]
    if "--quarrel" in sys.argv and histories >= 100 and never:
        sys.exit("never met: " + ", ".join(never))
    counts = ["%d %s" % (met.pop(name), name) for name in ("events", "conflicts", "entities", "states")]
    for name in sorted(met):
        print("%7d %s" % (met[name], name))
    print("%d histories held against the model: %s; left out: %s" % (
        histories, ", ".join(counts),
        ", ".join("%d events (%s)" % (left[why], why) for why in sorted(left)) or "nothing"))


if __name__ == "__main__":
    main()
