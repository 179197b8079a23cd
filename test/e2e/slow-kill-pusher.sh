#!/bin/bash
# slow-kill-pusher.sh -- kill -9 of a store's pusher at random moments, ROUNDS
# times (25), two pushers at work; an independent checker reads the files.
. "$(dirname "$0")/../lib/tap.sh"
ROUNDS=${ROUNDS:-25}
SEQ=$T/hub.db
RANDOM=${SEED:-$((RANDOM))}
echo "# SEED=$RANDOM ROUNDS=$ROUNDS"

start_server "$SEQ" || { not_ok "the sequencer starts"; done_testing; }
STREAM_ARGS="--tenant 11111111-1111-4111-8111-111111111111 --store 22222222-2222-4222-8222-222222222222"
till=$T/till.db office=$T/office.db
join "$till" && join "$office" || not_ok "joining"

appended=0
for ((round = 0; round < ROUNDS; round++)); do
	"$HERE/tools/generate-day" $((round + 1)) 12 | sed "1!s/^\(C\{0,1\}\)6/\1$((round % 9 + 1))$round/" > "$T/day.csv"
	"$VES" import --db "$till" "$T/day.csv" --format online-retail > "$T/import.log" 2>&1 || { not_ok "import in round $round"; cat "$T/import.log"; }
	"$VES" sync --db "$till" > /dev/null 2>&1 &
	victim=$!
	"$VES" push --db "$till" > /dev/null 2>&1 &
	other=$!
	sleep "0.0$((RANDOM % 9))"
	kill -9 $victim 2> /dev/null
	[ $((RANDOM % 3)) -eq 0 ] && kill -9 $other 2> /dev/null
	wait $victim $other 2> /dev/null
	appended=$((appended + 1))
done
is "every round was made" "$appended" "$ROUNDS"
check "afterwards the till syncs" "$VES" sync --db "$till"
check "and the office" "$VES" sync --db "$office"
is "nothing waits" "$(json "$("$VES" status --db "$till" --json)" "[d['counts'][k] for k in ('pending','syncing','failed','conflict')]")" "[0, 0, 0, 0]"
check "every event exactly once, in order, nothing acknowledged lost or renumbered" \
	python3 "$HERE/test/lib/check_log.py" "$SEQ" "$till" "$office" --settled
echo "# $(sqlite3 "$SEQ" 'SELECT count(*) FROM ves_events') events"
for s in "$till" "$office"; do check "${s##*/} is sound" "$VES" doctor --db "$s"; done
done_testing
