#!/bin/bash
# 16-clock.sh -- clocks decide nothing: a till a day ahead, one an hour behind,
# one whose clock jumps, sync as any other.
. "$(dirname "$0")/../lib/tap.sh"
if ! command -v faketime > /dev/null; then
	skip "clocks that are wrong" "faketime is not installed (./run deps installs it)"
	done_testing
fi
cd "$T" || exit 1
new_hub || exit 1
for s in office ahead behind jumps; do join $s.db; done
wrong() { faketime -f "$1" "$VES" "${@:2}"; }

adjust office.db MUG 10
"$VES" sync --db office.db > /dev/null
ahead=$(wrong +1d append --db ahead.db inventory.adjusted MUG --payload '{"delta":-2}')
behind=$(wrong -1h append --db behind.db inventory.adjusted MUG --payload '{"delta":-3}')
check "a till a day ahead syncs" wrong +1d sync --db ahead.db
check "a till an hour behind syncs" wrong -1h sync --db behind.db
wrong +400d append --db jumps.db inventory.adjusted MUG --payload '{"delta":-1}' > /dev/null
first=$(wrong -3000d append --db jumps.db customer.created C-1 --payload '{"name":"Ada"}')
check "a till whose clock jumped back eight years between two events syncs" wrong -3000d sync --db jumps.db
wrong +9000d append --db jumps.db customer.updated C-1 --payload '{"patch":{"name":"Ada L."},"before":{"/name":"Ada"}}' > /dev/null
check "and again in another century's third decade" wrong +9000d sync --db jumps.db
for s in ahead behind jumps office; do "$VES" sync --db $s.db > /dev/null || not_ok "$s syncs with the right time"; done

age() { json "$("$VES" show --db office.db "$1" --json)" '__import__("datetime").datetime.fromisoformat(d["event"]["timestamp"].replace("Z","+00:00")).timestamp()'; }
now=$(date +%s)
diff=$(printf '%.0f' "$(age "$ahead")"); [ $((diff - now)) -gt 80000 ] && ok "the event says the till's own time, a day ahead" || not_ok "the event says the till's own time, a day ahead"
diff=$(printf '%.0f' "$(age "$behind")"); [ $((now - diff)) -gt 3500 ] && ok "and an hour behind" || not_ok "and an hour behind"
hash=$(store_is office.db 'd["stateHash"]')
for s in ahead behind jumps office; do
	is "$s: stock" "$(on_hand $s.db MUG)" 4
	is "$s: state hash" "$(store_is $s.db 'd["stateHash"]')" "$hash"
	is "$s: health" "$(store_is $s.db 'd["health"]')" healthy
	is "$s: nothing in quarantine" "$(store_is $s.db 'd["quarantined"]')" 0
	exits "$s: the store agrees with itself" 0 "$VES" doctor --db $s.db
done
is "the customer has the name given last" "$(json "$("$VES" entity --db office.db customer C-1 --json)" 'd["state"]["name"]')" "Ada L."
is "no verdict but applied" "$("$VES" log --db office.db --json --from 1 --limit 100 | python3 -c 'import sys,json; print({e["verdict"] for e in json.load(sys.stdin)["events"]})')" "{'applied'}"
check "the sequencer's order is every agent's own" lib check_log "$SEQ" office.db ahead.db behind.db jumps.db --settled

# The sequencer's clock is no better.
stop_server
LISTEN=${URL#http://}
rm -f "$SEQ.port"
# faketime stays beside what it started, so that says its own number.
faketime -f -2d sh -c 'echo $$ > pid; exec "$@"' sh \
	"$VES" serve --db "$SEQ" --listen "$LISTEN" --port-file "$SEQ.port" >> "$SEQ.log" 2>&1 &
wait_for 60 test -s "$SEQ.port"
tap_pids+=("$(cat pid)")
adjust office.db MUG 1
check "a sequencer two days behind its own log goes on" "$VES" sync --db office.db
check "and is believed by others" "$VES" sync --db ahead.db
is "stock after that" "$(on_hand ahead.db MUG)" 5
done_testing
