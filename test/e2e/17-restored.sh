#!/bin/bash
# 17-restored.sh -- a store that comes back as an older copy of itself, and one
# that is used twice (semantics.md decision 15).
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join till.db
join office.db
count() { "$VES" outbox --db "$1" --json --limit 1000 | python3 -c 'import sys,json; print(json.load(sys.stdin)["total"])'; }
chain() { sqlite3 "$1" "SELECT group_concat(agent_seq) FROM (SELECT agent_seq FROM ves_outbox ORDER BY agent_seq)"; }

# A backup with one synced and one pending event; two more after it.
adjust till.db MUG 10
"$VES" sync --db till.db > /dev/null
pending=$("$VES" append --db till.db inventory.adjusted MUG --payload '{"delta":-1}')
check "backup while the store is open" "$VES" backup --db till.db old.db
exits "a backup is not overwritten" 1 "$VES" backup --db till.db old.db
[ ! -e old.db.key ] && ok "a backup has no key" || not_ok "a backup has no key"
adjust till.db MUG -2
lost=$("$VES" append --db till.db order.created LOST-1 --payload '{"currency":"GBP","lines":[]}')
"$VES" sync --db till.db > /dev/null
hash=$(store_is till.db 'd["stateHash"]')

# The disk dies; the backup takes the store's place, beside its key.
rm -f till.db till.db-wal till.db-shm
mv old.db till.db
is "the restored store has two events" "$(count till.db)" 2
exits "it does not know the lost one" 1 "$VES" show --db till.db "$lost"
check "it syncs" "$VES" sync --db till.db
is "its own lost events are back" "$(count till.db)" 4
is "in a chain without a hole" "$(chain till.db)" 1,2,3,4
is "all synced" "$(store_is till.db 'd["counts"]["synced"]')" 4
is "the state hash is what it was" "$(store_is till.db 'd["stateHash"]')" "$hash"
check "the lost event can be shown again" "$VES" show --db till.db "$lost"
like "why says it is done" "$("$VES" why --db till.db "$lost")" "^Done"
is "what was pending in the backup was not sequenced twice" "$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_events WHERE lower(hex(event_id)) = '${pending//-/}'")" 1
adjust till.db MUG -3
check "the chain goes on" "$VES" sync --db till.db
is "with the next number" "$(chain till.db)" 1,2,3,4,5
check "the office accepts all of it" "$VES" sync --db office.db
is "stock" "$(on_hand office.db MUG)" 4
check "an independent checker agrees" lib check_log "$SEQ" till.db office.db --settled
exits "the restored store agrees with itself" 0 "$VES" doctor --db till.db

# Written to before it synced: what was appended on the older copy stands under
# numbers that are used.  It never left the store, so it moves behind.
restored()
{
	rm -f "$1" "$1-wal" "$1-shm"
	mv "$2" "$1"
}
numbers() { sqlite3 "$SEQ" "SELECT count(*) FROM (SELECT agent, agent_seq FROM ves_events WHERE agent_seq > 0 GROUP BY 1, 2 HAVING count(*) > 1)"; }
for how in sync push; do
	"$VES" backup --db till.db old.db > /dev/null
	adjust till.db MUG 5
	adjust till.db CUP 7
	"$VES" sync --db till.db > /dev/null
	restored till.db old.db
	is "$how: status says that there is something to do" "$(store_is till.db '[d["health"], "restored from an older copy" in d["reasons"][0]]')" '["pending_work", true]'
	mine=$("$VES" append --db till.db inventory.adjusted MUG --payload '{"delta":-1}')
	more=$("$VES" append --db till.db order.created "AFTER-$how" --payload '{"currency":"GBP","lines":[]}')
	last=$("$VES" append --db till.db order.updated "AFTER-$how" --payload '{"patch":{"note":"x"}}')
	check "restored and written to: $how" "$VES" $how --db till.db
	is "$how: no number of the chain is used twice" "$(numbers)" 0
	check "$how: sync settles the rest" "$VES" sync --db till.db
	is "$how: nothing waits" "$(store_is till.db '[d["counts"][k] for k in ("pending","syncing","failed","conflict")]')" "[0, 0, 0, 0]"
	is "$how: it is no copy" "$(store_is till.db 'd["health"]')" healthy
	is "$how: the events keep their ids" "$(json "$("$VES" show --db till.db "$last" --json)" 'd["status"]')" synced
	is "$how: and their places in order" "$(sqlite3 "$SEQ" "SELECT group_concat(i) FROM (SELECT instr('${mine//-/}${more//-/}${last//-/}', lower(hex(event_id))) i FROM ves_events WHERE i > 0 ORDER BY id)")" 1,33,65
	like "$how: the trail tells" "$("$VES" trail --db till.db --json)" signedAgain
	exits "$how: doctor agrees" 0 "$VES" doctor --db till.db
done
"$VES" sync --db office.db > /dev/null
is "stock counts what was lost and what came after" "$(on_hand office.db MUG)" 12
check "an independent checker agrees again" lib check_log "$SEQ" till.db office.db --settled

# What was lost is not in the log whole: a refused event, and one that was
# sequenced out of its order.
"$VES" backup --db till.db old.db > /dev/null
"$VES" append --db till.db order.created TWICE --command-id 11111111-1111-4111-8111-111111111111 --payload '{"currency":"GBP","lines":[]}' > /dev/null
"$VES" append --db till.db order.created TWICE-2 --command-id 11111111-1111-4111-8111-111111111111 --payload '{"currency":"GBP","lines":[]}' > /dev/null
adjust till.db MUG 1
"$VES" sync --db till.db > /dev/null
is "one of them was refused" "$(store_is till.db 'd["counts"]["failed"]')" 1
restored till.db old.db
check "restored without it" "$VES" sync --db till.db
exits "doctor does not call the hole wrong" 0 "$VES" doctor --db till.db
like "it tells of it" "$("$VES" doctor --db till.db)" "lost with an older copy"
"$VES" sync --db office.db > /dev/null

# A copy that nobody marked: whether it is an older one or a second one cannot
# be told.  It sends nothing that would give a number twice.
sqlite3 till.db ".backup raw.db"
adjust till.db MUG -1
"$VES" sync --db till.db > /dev/null
hash=$(store_is till.db 'd["stateHash"]')
sqlite3 till.db ".backup newest.db"
restored till.db raw.db
adjust till.db MUG -2
exits "a raw copy that was written to does not push (exit 5)" 5 "$VES" push --db till.db
is "and gave no number twice" "$(numbers)" 0
restored till.db newest.db
is "the newest copy goes on" "$("$VES" sync --db till.db > /dev/null; store_is till.db 'd["stateHash"]')" "$hash"

# One store on two machines.
sqlite3 till.db ".backup twin.db"
cp till.db.key twin.db.key
cp till.db.credential twin.db.credential
adjust till.db MUG -1
check "the first goes on" "$VES" sync --db till.db
twin=$("$VES" append --db twin.db inventory.adjusted MUG --payload '{"delta":-2}')
"$VES" sync --db twin.db > twin.out 2> twin.err
later=$("$VES" append --db twin.db inventory.adjusted MUG --payload '{"delta":-4}')
ok "the copy can still append locally ($later)"
head=$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_events")
exits "the copy's push is stopped with exit 5" 5 "$VES" push --db twin.db
like "and says that the store is a copy" "$("$VES" push --db twin.db 2>&1)" "cop(y|ied)"
is "nothing of it is sequenced" "$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_events")" "$head"
is "health is attention" "$(store_is twin.db 'd["health"]')" attention
like "status says what to do" "$(store_is twin.db '" ".join(d["nextSteps"])')" "ves init --db NEW.db --invite"
like "and why" "$("$VES" why --db twin.db "$later")" "copy of a store"
is "the later event is pending and kept" "$(json "$("$VES" show --db twin.db "$later" --json)" 'd["status"]')" pending
check "what the copy wrote is still there" "$VES" show --db twin.db "$twin"
is "the alert names the code" "$(json "$("$VES" quarantine --db twin.db --json)" '[a["code"] for a in d["alerts"] if not a.get("settledAt")][0]')" copied_store
check "pulling goes on" "$VES" pull --db twin.db
join fresh.db
adjust fresh.db MUG -4
check "a new store takes its place" "$VES" sync --db fresh.db
"$VES" sync --db office.db > /dev/null
is "and the office has everything that was sequenced" "$(on_hand office.db MUG)" "$(on_hand fresh.db MUG)"

# A cache on the way tells a backup the end of the log as it was on its day.
STREAM_ARGS="--tenant $(cat /proc/sys/kernel/random/uuid) --store $(cat /proc/sys/kernel/random/uuid)"
echo honest > mode
start_proxy mode || exit 1
URL=$PROXY join young.db
"$VES" sync --db young.db > /dev/null
"$VES" backup --db young.db old.db > /dev/null
adjust young.db MUG 1
adjust young.db MUG 2
"$VES" sync --db young.db > /dev/null
restored young.db old.db
adjust young.db MUG 4
echo replay > mode
for how in sync push; do
	exits "an older end of the log, told to a backup: $how sends nothing" 1 "$VES" $how --db young.db
	is "$how gave no number twice" "$(numbers)" 0
done
like "it says why" "$("$VES" sync --db young.db 2>&1)" "counts more events of it than the log"
echo honest > mode
check "the true end" "$VES" sync --db young.db
is "brings everything back" "$(chain young.db)" 1,2,3
is "what was written is behind" "$("$VES" sync --db young.db > /dev/null; on_hand young.db MUG)" 7
is "and it is no copy" "$(store_is young.db 'd["health"]')" healthy
is "nor is a number used twice" "$(numbers)" 0

# One that keeps every answer: the page and the count of that day.
for how in backup copy; do
	STREAM_ARGS="--tenant $(cat /proc/sys/kernel/random/uuid) --store $(cat /proc/sys/kernel/random/uuid)"
	URL=$PROXY join $how.db
	adjust $how.db MUG 1
	"$VES" sync --db $how.db > /dev/null
	"$VES" pull --db $how.db > /dev/null
	if [ $how = backup ]; then "$VES" backup --db $how.db old.db > /dev/null; else sqlite3 $how.db ".backup old.db"; fi
	adjust $how.db MUG 2
	"$VES" push --db $how.db > /dev/null
	restored $how.db old.db
	adjust $how.db MUG 4
	echo cache > mode
	"$VES" sync --db $how.db > out 2>&1
	is "a $how is told an old end of the log and an old count: it sends nothing (exit 4)" "$? $(numbers)" "4 0"
	like "and says that somebody keeps answers" "$(cat out)" "an old one, or somebody else's"
	"$VES" push --db $how.db > /dev/null 2>&1
	is "nor does a push" "$(numbers)" 0
	echo honest > mode
done
check "the true end brings back what the backup lost" "$VES" sync --db backup.db
is "and what was written goes behind" "$("$VES" sync --db backup.db > /dev/null; on_hand backup.db MUG) $(numbers)" "7 0"
audits "$SEQ" young.db
done_testing
