#!/bin/bash
# 36-head.sh -- what a store asks before it sends anything, answered wrongly or
# not at all (semantics.md decision 15): no chain forks, and nobody is kept from
# pushing.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
echo honest > mode
start_proxy mode || exit 1
URL=$PROXY
join till.db
say() { echo "$1" > mode; }
numbers() { sqlite3 "$SEQ" "SELECT count(*) FROM (SELECT agent, agent_seq FROM ves_events GROUP BY 1, 2 HAVING count(*) > 1)"; }
pending() { store_is "$1" 'd["counts"]["pending"]'; }
known() { sqlite3 till.db "SELECT value FROM ves_meta WHERE name = 'sync'" | grep -o 'own_known=[0-9]*'; }

adjust till.db MUG 10
"$VES" sync --db till.db > /dev/null
for lie in head-uncounted head-many head-far head-stuck honest; do
	say $lie
	adjust till.db MUG 1
	check "$lie: a push goes through" "$VES" push --db till.db
	is "$lie: it is sent" "$(pending till.db)" 0
done
is "what was told of a log that never was is forgotten" "$(known)" "own_known=$(sqlite3 "$SEQ" "SELECT count(*) - 1 FROM ves_events")"

say head-503
adjust till.db MUG 1
exits "not now: exit 4" 4 "$VES" push --db till.db
is "the event is kept" "$(pending till.db)" 1
is "and nothing counted against it" "$(sqlite3 till.db "SELECT sum(attempts) FROM ves_outbox")" 0
say honest
check "later it goes" "$VES" sync --db till.db

# An older copy that nobody marked, written to: whatever the sequencer says, no
# number of the chain is given twice.
sqlite3 till.db ".backup raw.db"
"$VES" backup --db till.db marked.db > /dev/null
adjust till.db MUG 1
"$VES" sync --db till.db > /dev/null
for f in raw marked; do
	cp till.db.key $f.db.key
	cp till.db.credential $f.db.credential
	adjust $f.db CUP 1
done
for lie in head-uncounted head-many head-stuck honest; do
	say $lie
	exits "$lie: a raw copy does not push (exit 5)" 5 "$VES" push --db raw.db
done
say gone-for-reads
exits "a restored store sends nothing before it could pull (exit 4)" 4 "$VES" push --db marked.db
is "it waits" "$(pending marked.db)" 1
say corrupt
exits "nor while what it would take back is not true (exit 5)" 5 "$VES" push --db marked.db
is "it still waits" "$(pending marked.db)" 1
say honest
check "then it does" "$VES" push --db marked.db
check "and is whole" "$VES" sync --db marked.db
is "no number was given twice" "$(numbers)" 0
exits "doctor agrees" 0 "$VES" doctor --db marked.db
check "an independent checker agrees" lib check_log "$SEQ" marked.db --settled
done_testing
