#!/bin/bash
# slow-61-migrate-store.sh -- a sequencer moves from a file to PostgreSQL and back:
# nothing is lost on the way, and stores do not notice.
. "$(dirname "$0")/../lib/tap.sh"
SERVER=$("$HERE/test/lib/postgres" start $$)
case $? in
0) ;;
77) skip "moving to PostgreSQL and back" "$SERVER"; done_testing ;;
*) not_ok "a PostgreSQL server starts"; echo "$SERVER" | sed 's/^/# /'; done_testing ;;
esac
PG=$(head -n 1 <<< "$SERVER") DB=$(tail -n 1 <<< "$SERVER")
cd "$T" || exit 1
new_hub || exit 1
WHERE=${URL#http://}
join till.db
join office.db
"$VES" append --db till.db order.created ORD-1 --payload '{"currency":"GBP","email":"a@example.org","note":"\u0000 and \u20ac"}' > /dev/null
for i in $(seq 40); do adjust till.db "SKU-$((i % 4))" 1; done
"$VES" sync --db till.db > /dev/null; "$VES" sync --db office.db > /dev/null
# Two people, neither knows of the other; and one event that is refused.
"$VES" append --db till.db order.updated ORD-1 --payload '{"patch":{"email":"b@example.org"}}' > /dev/null
"$VES" append --db office.db order.updated ORD-1 --payload '{"patch":{"email":"c@example.org"}}' > /dev/null
"$VES" sync --db till.db > /dev/null; "$VES" sync --db office.db > /dev/null 2>&1; "$VES" sync --db till.db > /dev/null 2>&1
exits "a store that is served does not move" 1 "$VES" admin migrate-store --from "$SEQ" --to "$DB"
"$VES" admin keys --server "$URL" --key-file "$SEQ.admin-key" $STREAM_ARGS --strict on > /dev/null
"$VES" sync --db till.db > /dev/null 2>&1
"$VES" admin policy --server "$URL" --key-file "$SEQ.admin-key" --tenant "$TENANT" --agent "$(cat /proc/sys/kernel/random/uuid)" --allow-events 'a.*' --allow-entities '' > /dev/null || not_ok "an agent has a policy"
stop_server

# What a store holds, table by table; what a move adds or changes is left out.
contents()
{
	python3 - "$1" << 'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall():
    if t in ("ves_schema", "sqlite_sequence"):
        continue
    # An entity's place in its table follows from the order of writing, and who
    # names whom in the list of its bucket.
    places = {"ves_entities": ("id", "bucket_prev"), "ves_entity_buckets": ("newest",)}.get(t, ())
    columns = [r[1] for r in db.execute("PRAGMA table_xinfo(%s)" % t)
               if r[1] not in places and not r[1].startswith("frozen")]
    for row in sorted(repr(r) for r in db.execute("SELECT %s FROM %s" % (", ".join(columns), t))):
        print(t, row)
END
}
contents "$SEQ" > before
check "it moves to PostgreSQL" "$VES" admin migrate-store --from "$SEQ" --to "$DB"
exits "a second move finds the target full" 1 "$VES" admin migrate-store --from "$SEQ" --to "$DB"
exits "nothing moves onto itself" 1 "$VES" admin migrate-store --from "$DB" --to "$DB"
check "it moves back into a file" "$VES" admin migrate-store --from "$DB" --to back.db
contents back.db > after
diff <(grep -v ^ves_invitations before) <(grep -v "^ves_meta ('credentials.changed'" after) > lost
is "which holds what the first held, row by row, but for invitations" "$(wc -l < lost)" 0
[ -s lost ] && cut -c -300 lost | sed 's/^/# /'
psql -X -q -h "$PG" -U ves -d postgres -c 'CREATE DATABASE two'
DB="postgres://ves@/two?host=$PG"
check "and once more to PostgreSQL" "$VES" admin migrate-store --from back.db --to "$DB"

# Whoever goes on at the old place is told.
start_server "$SEQ" --listen "$WHERE"
adjust till.db SKU-1 1
"$VES" push --db till.db > push.out 2>&1
like "the old place is frozen and says where to" "$(sqlite3 "$SEQ" 'SELECT frozen_why FROM ves_tlogs')" '^moved to postgres://'
is "... and takes nothing" "$(store_is till.db 'd["counts"]["pending"]')" 1
stop_server
"$VES" serve --store "$DB" --signing-key "$SEQ.key" --listen "$WHERE" --port-file pg.port > pg.log 2>&1 & pid=$!
tap_pids+=("$pid")
wait_for 60 test -s pg.port || { not_ok "the new place serves"; sed 's/^/# /' pg.log; }
"$VES" settings --db till.db > /dev/null
all_sent() { "$VES" sync --db till.db; [ "$(store_is till.db 'd["counts"]["pending"]')" = 0 ]; }
check "the till goes on at the new place, and what it had is synced" wait_for 60 all_sent
"$VES" sync --db office.db > /dev/null 2>&1
check "the office's log is proved from the new place on" "$VES" doctor --db office.db
kill -TERM $pid; wait $pid 2> /dev/null
check "what it took there moves, too" "$VES" admin migrate-store --from "$DB" --to last.db
cp "$SEQ.key" last.db.key; cp "$SEQ.admin-key" last.db.admin-key
start_server last.db --listen "$WHERE"
adjust office.db SKU-2 1
check "stores go on there" sh -c '"$VES" sync --db office.db || [ $? = 3 ]'
check "an independent checker finds nothing wrong there" lib check_log last.db till.db office.db --signatures 10
check "the file passes an audit" "$VES" audit last.db
stop_server

# A row that was changed on the way in is not moved.
sqlite3 last.db "DROP TRIGGER IF EXISTS ves_events_no_update; UPDATE ves_events SET event_hash = zeroblob(32) WHERE sequence_number = 5"
out=$("$VES" admin migrate-store --from last.db --to spoilt.db 2>&1)
like "a log that does not make the tree that was signed does not move" "$out" 'do not make the tree'
is "... and nothing is left of it" "$(sqlite3 spoilt.db 'SELECT count(*) FROM ves_events')" 0
is "... nor is the old place frozen" "$(sqlite3 last.db 'SELECT count(*) FROM ves_tlogs WHERE frozen_at_ms <> 0')" 0
"$HERE/test/lib/postgres" stop "$PG"
done_testing
