#!/bin/bash
# slow-kill-sequencer.sh -- kill -9 of the sequencer at random moments under
# load, ROUNDS times (25); an independent checker reads the files afterwards.
. "$(dirname "$0")/../lib/tap.sh"
ROUNDS=${ROUNDS:-25}
SEQ=$T/hub.db
RANDOM=${SEED:-$((RANDOM))}
echo "# SEED=$RANDOM ROUNDS=$ROUNDS"

start_server "$SEQ" || { not_ok "the sequencer starts"; done_testing; }
LISTEN=${URL#http://}
STREAM_ARGS="--tenant 11111111-1111-4111-8111-111111111111 --store 22222222-2222-4222-8222-222222222222"
stores="$T/till-1.db $T/till-2.db $T/till-3.db"
for s in $stores; do join "$s" || not_ok "joining $s"; done

# A till sells and syncs as fast as it can; what fails is tried again.
till()
{
	local n=0
	while [ ! -e "$T/stop" ]; do
		n=$((n + 1))
		"$VES" append --db "$1" inventory.adjusted "SKU-$((n % 7))" --payload "{\"delta\":-1,\"n\":$n}" > /dev/null 2>> "$T/till.log" &&
			echo x >> "$1.appended"
		[ $((n % 5)) -eq 0 ] && "$VES" sync --db "$1" > /dev/null 2>&1
	done
}
tills=()
for s in $stores; do till "$s" & tills+=($!); done

killed=0
for ((round = 0; round < ROUNDS; round++)); do
	sleep "0.$((RANDOM % 8 + 1))"
	kill -9 "$SERVER_PID" 2> /dev/null && killed=$((killed + 1))
	wait "$SERVER_PID" 2> /dev/null
	start_server "$SEQ" || { not_ok "the sequencer starts again in round $round"; break; }
done
touch "$T/stop"
wait "${tills[@]}"
is "it was killed in every round" "$killed" "$ROUNDS"

settled=0
for attempt in 1 2 3; do
	settled=0
	for s in $stores; do "$VES" sync --db "$s" > "$T/sync.log" 2>&1 || settled=1; done
done
for s in $stores; do "$VES" pull --db "$s" >> "$T/sync.log" 2>&1 || settled=1; done
is "afterwards every store syncs" "$settled" 0
for s in $stores; do
	is "${s##*/}: every append that was told is there" \
		"$(sqlite3 "$s" 'SELECT count(*) FROM ves_outbox')" "$(wc -l < "$s.appended")"
done
check "every event exactly once, in order, nothing acknowledged lost or renumbered" \
	python3 "$HERE/test/lib/check_log.py" "$SEQ" $stores --settled
echo "# $(sqlite3 "$SEQ" 'SELECT count(*) FROM ves_events') events"
for s in $stores; do check "${s##*/} is sound" "$VES" doctor --db "$s"; done
done_testing
