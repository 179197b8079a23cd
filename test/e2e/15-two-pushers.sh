#!/bin/bash
# 15-two-pushers.sh -- two pushers and two writers on one store at once: every
# event arrives once.  Also shows that the independent checker can say no.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join till.db
join office.db
"$VES" settings --db till.db batchSize=10 > /dev/null

# writer NAME N -- appends one event a process, as a shell script of a shop may.
writer()
{
	local i
	for i in $(seq "$2"); do
		adjust till.db "$1-$((i % 5))" 1 || return 1
	done
}

# pusher NAME -- pushes until the file stop is there; "another process pushes"
# (exit 1) is what one of the two must hear sometimes.
pusher()
{
	local code
	until [ -e stop ]; do
		"$VES" push --db till.db --json >> "$1.out" 2>> "$1.err"
		code=$?
		echo $code >> "$1.codes"
	done
}

"$VES" append --db till.db note.written N --payload '{"first":true}' > /dev/null
pusher p1 & p1=$!
pusher p2 & p2=$!
writer a 30 & a=$!
writer b 30 & b=$!
wait $a; is "the first writer appended all it had" $? 0
wait $b; is "the second writer too" $? 0
touch stop
wait $p1 $p2
check "what is left is synced" "$VES" sync --db till.db
is "61 events are synced" "$(store_is till.db 'd["counts"]["synced"]')" 61
is "none is left" "$(store_is till.db 'd["counts"]["pending"]+d["counts"]["syncing"]+d["counts"]["failed"]')" 0
is "the record of operations adds up to that" "$("$VES" trail --db till.db --json --limit 1000 |
	python3 -c 'import sys,json; print(sum(o["detail"]["accepted"] for o in json.load(sys.stdin)["operations"] if o["code"]=="push"))')" 61
like "a pusher either worked or stood back (exit 0 or 1)" "$(sort -u p1.codes p2.codes | tr '\n' ' ')" '^(0 |0 1 |1 )$'
check "the office gets everything" "$VES" sync --db office.db
check "an independent checker finds every event once, in order" lib check_log "$SEQ" till.db office.db --settled --signatures 15
is "stock in all products together" "$(sqlite3 office.db "SELECT sum(json_extract(state, '\$.on_hand')) FROM ves_entities WHERE entity_type = 'inventory'")" 60

# The checker must not be one that cannot say no.
lie()
{
	local name=$1 file=$2 sql=$3
	rm -f lie-*.db
	sqlite3 "$SEQ" ".backup lie-hub.db"
	sqlite3 till.db ".backup lie-till.db"
	sqlite3 "lie-$file.db" "DROP TRIGGER ves_events_no_delete; $sql" || not_ok "planting: $name"
	if lib check_log lie-hub.db lie-till.db --settled --signatures 2 > lie.out 2>&1; then
		not_ok "the checker sees: $name"
	else
		ok "the checker sees: $name"
	fi
}
lie "a hole in the sequence" hub "DELETE FROM ves_events WHERE sequence_number = 7"
lie "an event put twice" hub "DROP INDEX ves_events_event_id; UPDATE ves_events SET event_id = (SELECT event_id FROM ves_events WHERE sequence_number = 3), event_hash = (SELECT event_hash FROM ves_events WHERE sequence_number = 3), envelope = (SELECT envelope FROM ves_events WHERE sequence_number = 3) WHERE sequence_number = 5"
lie "two events that changed places" hub "DROP INDEX ves_events_event_id; CREATE TABLE s AS SELECT * FROM ves_events WHERE sequence_number IN (8, 9); UPDATE ves_events SET (event_id, event_hash, envelope) = (SELECT event_id, event_hash, envelope FROM s WHERE s.sequence_number = 17 - ves_events.sequence_number) WHERE sequence_number IN (8, 9)"
lie "an envelope that was edited" hub "UPDATE ves_events SET envelope = replace(envelope, '\"delta\":1', '\"delta\":2') WHERE sequence_number = 20"
lie "a receipt that was renumbered" till "UPDATE ves_outbox SET sequence_number = sequence_number + 1 WHERE local_seq = 11"
lie "an acknowledged event that the log lost" hub "DELETE FROM ves_events WHERE sequence_number = (SELECT max(sequence_number) FROM ves_events)"
lie "a receipt of nobody" hub "UPDATE ves_events SET receipt = zeroblob(64)"
done_testing
