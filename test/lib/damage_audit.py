"""damage_audit.py VES STORE WORK SEED COUNT -- copies of a store file are
damaged by chance and audited.

Bytes of the file are changed, pages exchanged, the file is cut; rows that
SQLite finds in order are given other values, exchanged, doubled, deleted.  The
audit must end by itself each time: with a finding, with an error in words, or,
where the damage hit nothing that means anything, with the store as it was.
One line at the end; a seed shows the same damage again."""
import os
import random
import shutil
import sqlite3
import subprocess
import sys

ves, store, work, seed, count = sys.argv[1:4] + [int(x) for x in sys.argv[4:6]]
chance = random.Random(seed)
whole = os.path.join(work, "whole.db")
damaged = os.path.join(work, "damaged.db")
PAGE = 4096


def forget(path):
    for end in ("", "-wal", "-shm", "-journal"):
        if os.path.exists(path + end):
            os.unlink(path + end)


def copy_whole():
    forget(whole)
    db = sqlite3.connect(store)
    db.execute("VACUUM INTO ?", (whole,))
    db.close()


# What an audit answers for.  Not: who may call (credentials, invitations), what
# was done when (trail, alerts), settings, caches that are made again (buckets,
# the local view), keys nobody signed with, and the clock's own columns.
ANSWERED = {
    "ves_events": "sequence_number event_id event_hash fingerprint signature agent agent_key_id agent_seq command_id"
                  " entity_key entity_index entity_prev entity_jump verdict applied_at version sub_code note is_fact"
                  " has_waited conflict_id waits_for effects opposite receipt receipt_key_version envelope",
    "ves_entities": "entity_key entity_type entity_id events last_sequence last_jump version head head_applied_at"
                    " state_hash state written_at tombstone bucket_prev",
    "ves_entity_buckets": "*",
    "ves_conflicts": "*", "ves_conflict_members": "*", "ves_counts": "status count", "ves_commitments": "*", "ves_tiles": "*",
    "ves_streams": "tenant store committed_end state_root",
    "ves_tlogs": "stream_id edge signed_size signed_root note",
    "ves_outbox": "local_seq event_id event_hash agent_seq entity_key status sequence_number receipt envelope",
}


def columns(db, table, wanted):
    """A number that was written as text is the same number."""
    types = {n.decode(): t.decode() for _, n, t, *_ in db.execute(f"PRAGMA table_info({table})")}
    names = types if wanted == "*" else wanted.split()
    return ", ".join(f"CAST({n} AS INTEGER)" if types.get(n) == "INTEGER" else n for n in names)


def content(path):
    """The rows an audit answers for, or None when SQLite cannot read them."""
    try:
        db = sqlite3.connect(path)
        db.text_factory = bytes
        there = {n.decode() for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        rows = {n: sorted(map(repr, db.execute(f"SELECT {columns(db, n, c)} FROM {n}"))) for n, c in ANSWERED.items() if n in there}
        rows["ves_counts"] = [r for r in rows.get("ves_counts", []) if not r.endswith(", 0)")]  # none is 0
        db.close()
        return rows
    except (sqlite3.Error, UnicodeDecodeError):
        return None


# ---- bytes of the file

def change(data, n):
    for _ in range(n):
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)


def flip(data):
    change(data, 1)
    return "a bit"


def flips(data):
    change(data, 200)
    return "200 bits"


def smear(data):
    at = chance.randrange(len(data))
    for i in range(at, min(at + chance.randrange(1, 600), len(data))):
        data[i] = chance.choice((0, 255, chance.randrange(256)))
    return f"a run of bytes at {at}"


def cut(data):
    size = chance.randrange(len(data))
    del data[size:]
    return f"cut to {size}"


def exchange(data):
    a, b = (chance.randrange(1, len(data) // PAGE) * PAGE for _ in range(2))
    data[a:a + PAGE], data[b:b + PAGE] = data[b:b + PAGE], data[a:a + PAGE]
    return f"pages at {a} and {b} exchanged"


# ---- rows

def any_value(old):
    kind = chance.randrange(8)
    if isinstance(old, bytes) and kind < 3 and old:
        new = bytearray(old)
        new[chance.randrange(len(new))] ^= 1 << chance.randrange(8)
        return bytes(new)
    if isinstance(old, bytes) and kind == 3:
        return old[:chance.randrange(len(old) + 1)]
    if isinstance(old, int) and kind < 5:
        return old + chance.choice((-1, 1, 2, -old, 1 << 31, 1 << 40))
    return chance.choice((None, 0, 1, -1, 7, 2 ** 63 - 1, -2 ** 63, 1.5, "", "x", "applied", "conflict", "{}", "[1",
                          b"", b"\0", bytes(32), bytes(64), chance.randbytes(32), "a" * 5000))


def rows(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA ignore_check_constraints = ON")
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{name}"')
    names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ves_%' ORDER BY 1")
             if db.execute(f'SELECT 1 FROM "{n}"').fetchone()]
    words = []
    for _ in range(chance.choice((1, 1, 1, 3))):
        name = chance.choice([n for n in names if n in ANSWERED] * 4 + names)
        columns = [r[1] for r in db.execute(f'PRAGMA table_info("{name}")')]
        column = chance.choice(columns)
        lines = db.execute(f'SELECT *, (SELECT count(*) FROM "{name}") FROM "{name}"').fetchall()
        if not lines:
            continue
        line, other = chance.choice(lines), chance.choice(lines)
        at = columns.index(column)
        where = " AND ".join(f'"{c}" IS ?' for c in columns)
        act = chance.randrange(10)
        try:
            if act == 0:
                db.execute(f'DELETE FROM "{name}" WHERE {where}', line[:-1])
                words.append(f"a row of {name} deleted")
            elif act == 1:
                db.execute(f'UPDATE "{name}" SET "{column}" = ?', (line[at],))
                words.append(f"{name}.{column} the same in all rows")
            elif act == 2:
                db.execute(f'UPDATE "{name}" SET "{column}" = ? WHERE {where}', (other[at],) + line[:-1])
                db.execute(f'UPDATE "{name}" SET "{column}" = ? WHERE {where}', (line[at],) + other[:-1])
                words.append(f"{name}.{column} of two rows exchanged")
            else:
                value = any_value(line[at].encode() if isinstance(line[at], str) and chance.random() < 0.3 else line[at])
                if isinstance(value, bytes) and isinstance(line[at], str) and chance.random() < 0.8:
                    value = value.decode("utf-8", "replace")
                db.execute(f'UPDATE "{name}" SET "{column}" = ? WHERE {where}', (value,) + line[:-1])
                words.append(f"{name}.{column} = {value!r:.60}")
        except sqlite3.Error:
            pass  # a constraint kept it out
    db.commit()
    db.close()
    return "; ".join(words)


def damage():
    forget(damaged)
    shutil.copyfile(whole, damaged)
    if chance.random() < 0.6:
        return rows(damaged)
    with open(damaged, "r+b") as file:
        data = bytearray(file.read())
        words = chance.choice((flip, flip, flips, smear, smear, cut, exchange))(data)
        file.seek(0)
        file.truncate()
        file.write(data)
    return words


def audit():
    run = subprocess.run([ves, "audit", "--json", "--work", work, damaged], capture_output=True, timeout=120)
    return run.returncode, run.stderr.decode("utf-8", "replace")


copy_whole()
truth = content(whole)
ends = {}
bad = fallen = 0
for i in range(count):
    words = damage()
    code, said = audit()
    ends[code] = ends.get(code, 0) + 1
    fallen += "assertion" in said
    wrong = None
    if code not in (0, 1, 2, 5, 10, 40):
        wrong = f"exit {code}"
    elif code == 0 and content(damaged) != truth:
        wrong = "called sound"
    elif code in (1, 2, 5) and not said.strip():
        wrong = "no word about it"
    elif "Sanitizer" in said:
        wrong = "a sanitizer speaks"
    if wrong:
        bad += 1
        print(f"seed {seed}, damage {i}: {words}: {wrong}\n{said[-600:]}")
        keep = os.environ.get("KEEP")
        if keep:
            shutil.copyfile(damaged, os.path.join(keep, f"damaged-{seed}-{i}.db"))
forget(damaged)
forget(whole)
left = [n for n in os.listdir(work) if n.startswith("ves-audit.")]
print(f"{count} damaged copies, exits {dict(sorted(ends.items()))}, {bad} of them wrong; {fallen} brought the judge down; {len(left)} folders left")
sys.exit(bad > 0 or bool(left))
