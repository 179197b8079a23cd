"""pg_hub.py FOLDER HUB.db -- what a sequencer keeps in PostgreSQL as the file
that the independent checker (check_log.py) reads.

Reads with psql and not with a word of the program that is checked: the tables'
rows go over as they are, nothing is recomputed.
"""
import csv
import io
import sqlite3
import subprocess
import sys

folder, path = sys.argv[1:]


def rows(query):
    out = subprocess.run(["psql", "-X", "-q", "-A", "-h", folder, "-U", "ves",
                          "-d", "postgres", "-c",
                          "COPY (%s) TO STDOUT (FORMAT csv, HEADER)" % query],
                         check=True, stdout=subprocess.PIPE).stdout
    return list(csv.reader(io.StringIO(out.decode())))


def value(text):
    if text == "":
        return None
    if text.startswith("\\x"):
        return bytes.fromhex(text[2:])
    if len(text) == 36 and text.count("-") == 4:
        return bytes.fromhex(text.replace("-", ""))
    if text in ("t", "f"):
        return int(text == "t")
    return int(text) if text.lstrip("-").isdigit() else text


hub = sqlite3.connect(path)


def copy(table, query, extra=""):
    head, *body = rows(query)
    hub.execute("CREATE TABLE %s (%s%s)" % (table, ", ".join(head), extra))
    hub.executemany("INSERT INTO %s (%s) VALUES (%s)" % (
        table, ", ".join(head), ", ".join("?" * len(head))),
        [[value(v) for v in row] for row in body])


copy("ves_streams", "SELECT * FROM ves_streams ORDER BY stream_no")
copy("ves_events", "SELECT (stream_no << 40) | sequence_number AS id, *"
     " FROM ves_events ORDER BY stream_no, sequence_number")
copy("ves_agent_keys", "SELECT * FROM ves_agent_keys")
copy("ves_refusals", "SELECT * FROM ves_records WHERE kind = 2"
     " ORDER BY stream_no, no")
copy("ves_meta", "SELECT * FROM ves_meta")
hub.execute("UPDATE ves_events SET envelope = CAST(envelope AS TEXT)")
hub.execute("UPDATE ves_meta SET value = CAST(value AS TEXT)")
hub.commit()
