#!/usr/bin/env python3
"""Random histories of the reference model with everything it says of them.

usage: judge_driver.py SPEC_DIR SEED EVENTS [LENGTH [OPERATIONS]]
       judge_driver.py SPEC_DIR scopes|soak
       judge_driver.py SPEC_DIR short SEED HISTORIES

Reads judge.py in place, lets its own generator make histories until they have
EVENTS events together, and writes one JSON line an event: what the event says,
and under "want" all that changed by it: verdicts, conflicts, entities; "keep"
is how many events of the line before come before it.  With OPERATIONS (names
of the model's, commas between) only these are used, and each line also has all
there is after it ("all", "states") and whether it is the last of its history.
With "scopes", every history of a few small scopes (agents, operations, edits,
resolutions, entities) instead; with "soak", of larger ones.  With "short",
so many random histories of a few steps.
"""
import json
import random
import sys
from collections import namedtuple

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import judge  # noqa: E402

SCOPES = [
    (3, ("setf", "delete", "ref"), 3, 0, ("e", "p")),
    (3, ("setf", "setg", "count"), 3, 0, ("e",)),
    (2, ("setf", "setg"), 3, 1, ("e",)),
    (2, ("setf", "delete"), 2, 2, ("e",)),
    (2, ("ship", "cancel", "track"), 3, 1, ("e",)),
    (2, ("create", "setf", "count"), 3, 0, ("e",)),
    (2, ("setf", "wait"), 3, 0, ("e",)),
    (2, ("setf", "wait"), 2, 1, ("e",)),
]
SOAK = [
    (3, ("setf", "delete", "ref"), 4, 0, ("e", "p")),
    (3, ("setf", "setg", "count"), 4, 0, ("e",)),
    (2, ("setf", "setg"), 4, 1, ("e",)),
    (2, ("setf", "delete"), 2, 3, ("e",)),
    (2, ("ship", "cancel", "track"), 3, 2, ("e",)),
    (2, ("create", "setf", "count"), 4, 1, ("e",)),
    (3, ("setf", "wait"), 4, 0, ("e",)),
    (2, ("setf", "wait"), 3, 1, ("e",)),
    (3, ("ship", "cancel", "track"), 4, 0, ("e",)),
    (3, ("create", "setf", "count"), 4, 0, ("e",)),
]


def judged(log):
    """The model's judge of a prefix, without its self-checks: they are run
    where the model lives, and cost most of the time."""
    if log in judge.CACHE:
        return judge.CACHE[log]
    j = judged(log[:-1]).clone() if log else judge.Judge()
    if log:
        j.step(log[-1])
    judge.CACHE[log] = j
    return j


judge.judged = judged


# ---- where the product knowingly differs from the model ----------------------
#
# doc/adr/0016: the model allows any merge.  The product sets aside one that
# has nothing to say where a fact of the branch disagrees with the facts it
# lost against: that fact would be nowhere any more.  Half of the
# merges the generator writes over facts are such, so that it is met.

resolution = judge.Judge.resolution
result = judge.Judge.result


def settles(eff, fact, other):
    fact = [o for o in fact if o[0] != "@"]     # a mark is no part of the state
    disputed = [p for p, k, v in fact
                if not judge.commute([(p, k, v)], other)]
    paths = disputed or [p for p, _, _ in fact]
    touched = [any(p == q or "*" in (p, q) for q, _, _ in eff) for p in paths]
    return all(touched) if disputed else any(touched) or not paths


def says_nothing(j, r):
    k, winner, inputs, _, _ = r.res
    c = j.conflicts.get(k)
    if (winner != "merge" or c is None or c["by"] or
            tuple(inputs) != c["branch"]):
        return False
    fact = j.ev[c["branch"][0]]
    return fact.fact and not all(settles(r.eff, fact.eff, j.eff[i])
                                 for i in c["applied"] if j.facts(i))


def stricter(self, r):
    if says_nothing(self, r):
        self.kid[r.id] = r.res[0]
        return self.put(r, "superseded", "not_allowed")
    return resolution(self, r)


def silent(self, k, winner, restore):
    first = self.conflicts[k]["branch"][0]
    if (winner == "merge" and self.ev[first].fact and
            sum(map(ord, str(first))) % 2):
        return ()
    return result(self, k, winner, restore)


judge.Judge.resolution = stricter
judge.Judge.result = silent


def conflict(k):
    return None if k is None else [k[0], sorted(k[1])]


def event_of(j, i):
    note = j.note.get(i, {})
    sub = j.sub.get(i, "")
    return [i, j.verdict[i], sub,
            conflict(j.kid.get(i)) if j.verdict[i] != "waiting" else None,
            sorted(note.get("commuted", ())), sorted(note.get("overrode", ()))]


def want(a, b, y):
    """All that y changed."""
    events = [event_of(b, x.id) for x in b.log
              if a.verdict.get(x.id) != b.verdict[x.id]]
    conflicts = [[conflict(k), c["ent"], list(c["branch"]), c["by"], c["type"]]
                 for k, c in b.conflicts.items() if a.conflicts.get(k) != c]
    entities = [[e, b.ver(e), b.head(e), [i for _, i in h], b.state[e],
                 b.tomb.get(e)]
                for e, h in b.hist.items() if a.hist.get(e) != h]
    return {"events": events, "conflicts": sorted(conflicts, key=str),
            "entities": sorted(entities)}


def says(y):
    res = y.res and {"first": y.res[0][0], "over": list(y.res[0][1]),
                     "winner": y.res[1], "inputs": list(y.res[2]),
                     "supersedes": y.res[3]}
    return {"id": y.id, "agent": y.agent, "n": y.n, "seen": y.seen,
            "bver": y.bver, "bhead": y.bhead, "ent": y.ent, "fact": y.fact,
            "eff": [list(o) for o in y.eff], "deps": list(y.deps),
            "ref": y.ref, "res": res}


def spelt(line):
    return json.dumps(line, sort_keys=True, separators=(",", ":"))


def write(line):
    sys.stdout.write(spelt(line))
    sys.stdout.write("\n")


def everything(j):
    """What a store says after the last event; bytewise sorted."""
    events = [event_of(j, x.id)[:4] for x in j.log]
    conflicts = [[conflict(k), c["ent"], list(c["branch"]), c["by"], c["type"]]
                 for k, c in j.conflicts.items()]
    entities = [[e, j.ver(e), j.head(e), [i for _, i in h], j.tomb.get(e)]
                for e, h in j.hist.items()]
    return {"events": events, "conflicts": sorted(conflicts, key=spelt),
            "entities": sorted(entities, key=spelt)}


def states(j):
    return {e: {p: v for p, v in s.items() if v is not None and p != "*"}
            for e, s in j.state.items()}


def history(seed, log, is_full=False):
    for n, y in enumerate(log):
        line = {"seed": seed, "keep": n, "says": says(y),
                "want": want(judged(log[:n]), judged(log[:n + 1]), y)}
        if is_full:
            line["all"] = everything(judged(log[:n + 1]))
            line["states"] = states(judged(log[:n + 1]))
            line["last"] = n + 1 == len(log)
        write(line)


def sample(seed, limit, length, ops):
    events = 0
    if ops:
        judge.ALL = ops
    while events < limit:
        judge.rand(seed, length or
                   random.Random(seed).choice((15, 40, 120)))
        log = max(judge.CACHE, key=len)
        history(seed, log, bool(ops))
        events += len(log)
        seed += 1


def short(seed, histories):
    """Few steps each, so that many beginnings are met; an empty history (no
    agent wrote anything) is none."""
    while histories:
        judge.rand(seed, random.Random(seed).choice((4, 6, 8, 10)))
        log = max(judge.CACHE, key=len)
        history(seed, log)
        histories -= 1 if log else 0
        seed += 1


# ---- every history of a scope ------------------------------------------------
#
# What the judge sees of an interleaving is the log: who is next, and how much
# of it that author had pulled when it wrote.  So logs are enumerated, not what
# was done between them: an author's cursor only moves forward, and its events
# come in its own order.  Authors who have written nothing are alike.  (The
# model's own explorer visits the same logs, by every way that leads to each.)

Author = namedtuple("Author", "name seen n")
Ahead = namedtuple("Ahead", "id")


def writable(log, authors, i, seen, ops, ents, left, resolves):
    """What author i may write next, having pulled so much: events, and how
    many edits and resolutions that takes."""
    def pending(a):         # others' events that it does not know
        return (tuple(x for x in log[seen:] if x.agent == a.name) +
                (Ahead("%s%d" % (a.name, a.n)),))
    world = judge.World(log, tuple(
        (a.name, seen, (), a.n) if k == i else (a.name, 0, pending(a), a.n)
        for k, a in enumerate(authors)))

    def made(w):
        return w.agents[i][2][0]
    if left:
        for ent in ents:
            for edit in world.edits(i, ent, ops):
                fact, eff, deps, ref = edit
                yield made(world.append(i, ent, fact, eff, deps, ref)), 1, 0
    if resolves:
        for k, c in judged(log[:seen]).conflicts.items():
            for strategy in (("accept_local", "accept_remote", "merge")
                             if c["by"] is None else ("undo",)):
                w = world.resolve(i, c["branch"][0], k, strategy)
                if w:
                    yield made(w), 0, 1


def walk(number, log, authors, ops, ents, left, resolves):
    for i, a in enumerate(authors):
        if any(b.n == 1 for b in authors[1:i]):
            continue
        for seen in range(a.seen, len(log) + 1):
            for y, edit, resolve in writable(log, authors, i, seen, ops, ents,
                                             left, resolves):
                longer = log + (y,)
                write({"seed": number, "keep": len(log), "says": says(y),
                       "want": want(judged(log), judged(longer), y)})
                walk(number, longer,
                     authors[:i] + (Author(a.name, seen, a.n + 1),) +
                     authors[i + 1:], ops, ents, left - edit,
                     resolves - resolve)
                del judge.CACHE[longer]


def exhaust(scopes):
    for number, (agents, ops, edits, resolves, ents) in enumerate(scopes):
        judge.CACHE.clear()
        first = judge.start(agents, ents, ops)
        history(number, first.log)
        walk(number, first.log,
             tuple(Author(name, seen, n) for name, seen, _, n in first.agents),
             ops, ents, edits, resolves)


if __name__ == "__main__":
    if sys.argv[2] in ("scopes", "soak"):
        exhaust(SCOPES if sys.argv[2] == "scopes" else SOAK)
    elif sys.argv[2] == "short":
        short(int(sys.argv[3]), int(sys.argv[4]))
    else:
        sample(int(sys.argv[2]), int(sys.argv[3]),
               int(sys.argv[4]) if len(sys.argv) > 4 else 0,
               tuple(sys.argv[5].split(",")) if len(sys.argv) > 5 else ())
