"""check_log.py HUB.db [STORE.db...] [--settled] [--signatures N]

The independent checker of the end-to-end tests.  Reads the SQLite files of a
sequencer and of stores and says what is wrong with them:

 - in the log every sequence is dense from 1, every event id there once, every
   envelope's hash what its row says, every agent's events in the agent's order,
   each naming the one before it, holes explained by refusals; N signatures and receipts (spread over the
   log, default 40) verify;
 - what a store calls synced, or has a receipt for, has exactly that number in
   the log, with the same hash; with --settled every event ever appended to a
   store is synced;
 - what a store pulled is the log's beginning, row by row, up to its cursor.
"""
import json
import sys

import vestest as v


def read_hub(path, problems, sample):
    hub = v.open_store(path)
    keys = v.sequencer_keys(hub)
    agents = {(bytes(k["agent"]), k["key_id"]): bytes(k["public_key"])
              for k in hub.execute("SELECT * FROM ves_agent_keys")}
    logs = {}
    refused = {}
    for row in hub.execute("SELECT body FROM ves_refusals").fetchall():
        take_refused(row["body"], refused)
    for stream in hub.execute("SELECT * FROM ves_streams").fetchall():
        name = (bytes(stream["tenant"]), bytes(stream["store"]))
        logs[name] = read_stream(hub, stream["stream_no"], keys, agents,
                                 refused, problems, sample)
    return logs


def take_refused(body, refused):
    """A signed refusal explains a hole in an agent's numbers."""
    try:
        e = json.loads(bytes(body))
        context = e["payload"]["_ves"]
        refused[e["source_agent_id"], context["agent_seq"]] = v.event_hash(e)
    except (ValueError, KeyError, TypeError):
        pass


def read_stream(hub, number, keys, agents, refused, problems, sample):
    log, ids, chains = [], set(), {}
    rows = hub.execute("SELECT * FROM ves_events WHERE id >> 40 = ? ORDER BY"
                       " id", (number,)).fetchall()
    step = max(1, len(rows) // sample) if sample else len(rows) + 1
    for i, row in enumerate(rows):
        sequence = row["sequence_number"]
        if not problems.unless(sequence == i + 1, "sequence %d stands at place "
                               "%d" % (sequence, i + 1)):
            break
        e = json.loads(row["envelope"] + "}")
        h = v.event_hash(e)
        problems.unless(bytes(row["event_hash"]) == h,
                        "sequence %d: the hash is not the envelope's" % sequence)
        problems.unless(v.payload_hash(e["payload"]).hex() in
                        e["payload_plain_hash"],
                        "sequence %d: the payload's hash is wrong" % sequence)
        problems.unless(e["event_id"] not in ids, "sequence %d: event %s is "
                        "there twice" % (sequence, e["event_id"]))
        ids.add(e["event_id"])
        context = e["payload"].get("_ves")
        if context:
            last = chains.get(e["source_agent_id"], (0, None))
            # One that was refused for its key was signed again, or a thief's.
            while (last[0] + 1 < context["agent_seq"] and
                   (e["source_agent_id"], last[0] + 1) in refused):
                gone = refused[e["source_agent_id"], last[0] + 1]
                last = (last[0] + 1, "0x" + gone.hex())
            problems.unless(context["agent_seq"] == last[0] + 1 and
                            context.get("prev", last[1]) == last[1],
                            "sequence %d: number %d of its agent comes after %d"
                            % (sequence, context["agent_seq"], last[0]))
            chains[e["source_agent_id"]] = (context["agent_seq"],
                                            "0x" + h.hex())
        if sequence % step == 1 or step == 1:
            check_signatures(row, e, keys, agents, problems)
        log.append((e["event_id"], h, e["event_type"].startswith("ves.key.")
                    and "_ves" not in e["payload"]))
    return log


def check_signatures(row, e, keys, agents, problems):
    sequence = row["sequence_number"]
    key = agents.get((v.raw_uuid(e["source_agent_id"]), e["agent_key_id"]))
    problems.unless(key and v.verify(key, v.event_hash(e),
                                     v.unhex(e["agent_signature"])),
                    "sequence %d: the agent's signature is wrong" % sequence)
    problems.unless(v.verify(keys[row["receipt_key_version"]],
                             v.receipt_hash(e, sequence),
                             bytes(row["receipt"])),
                    "sequence %d: the receipt is wrong" % sequence)


def check_store(path, logs, problems, is_settled):
    db = v.open_store(path)
    stream = db.execute("SELECT * FROM ves_streams").fetchone()
    log = logs.get((bytes(stream["tenant"]), bytes(stream["store"])), [])
    places = {event_id: i + 1 for i, (event_id, *_) in enumerate(log)}
    outbox = db.execute("SELECT * FROM ves_outbox ORDER BY local_seq").fetchall()
    for row in outbox:
        event_id = v.uuid_text(row["event_id"])
        at = places.get(event_id, 0)
        if row["status"] == "synced" or row["receipt"] is not None:
            problems.unless(at and row["sequence_number"] == at,
                            "%s: event %s has a receipt for number %d, the log "
                            "has it at %d" %
                            (path, event_id, row["sequence_number"], at))
        if at:
            problems.unless(log[at - 1][1] == bytes(row["event_hash"]),
                            "%s: event %s has another hash in the log" %
                            (path, event_id))
        if is_settled:
            problems.unless(row["status"] == "synced" and at,
                            "%s: event %s is %s, and at %d in the log" %
                            (path, event_id, row["status"], at))
    problems.unless([r["local_seq"] for r in outbox] ==
                    list(range(1, len(outbox) + 1)),
                    "%s: the outbox has a hole" % path)
    pulled = db.execute("SELECT event_id, event_hash, sequence_number FROM"
                        " ves_events ORDER BY id").fetchall()
    for i, row in enumerate(pulled):
        ok = i < len(log) and row["sequence_number"] == i + 1 and log[i][:2] == (
            v.uuid_text(row["event_id"]), bytes(row["event_hash"]))
        if not problems.unless(ok, "%s: number %d is not what the sequencer "
                               "has there" % (path, i + 1)):
            break
    if is_settled:
        problems.unless(len(pulled) == len(log), "%s: pulled %d of %d" %
                        (path, len(pulled), len(log)))
    return len(outbox)


def main():
    args = sys.argv[1:]
    is_settled = "--settled" in args
    sample = 40
    if "--signatures" in args:
        at = args.index("--signatures")
        sample = int(args[at + 1])
        del args[at:at + 2]
    paths = [a for a in args if not a.startswith("--")]
    problems = v.Problems()
    logs = read_hub(paths[0], problems, sample)
    appended = sum(check_store(path, logs, problems, is_settled)
                   for path in paths[1:])
    events = sum(not own for log in logs.values() for *_, own in log)
    own = sum(len(log) for log in logs.values()) - events
    print("%d events in the log and %d of the sequencer's own, %d in the "
          "outboxes" % (events, own, appended))
    if is_settled and len(paths) > 1 and "--others" not in args:
        problems.unless(events == appended, "the log has %d events, the stores "
                        "appended %d" % (events, appended))
    problems.end()


main()
