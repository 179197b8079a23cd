#!/bin/bash
# 62-open.sh -- stores of ours with a sequencer that has the open implementation's
# routes and no others (test/lib/open_sequencer.py): push, pull, refusals, a
# version conflict, lost answers, restarts, and what it cannot give.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
TENANT=$(cat /proc/sys/kernel/random/uuid) STORE=$(cat /proc/sys/kernel/random/uuid)

# start_open [OPTIONS...] -- from where it was
start_open()
{
	rm -f port
	"$PYTHON" -E "$HERE/test/lib/open_sequencer.py" "$T/open.json" "$T/port" "$@" &
	SERVER_PID=$!
	tap_pids+=("$SERVER_PID")
	wait_for 60 test -s port || exit 1
	URL=http://127.0.0.1:$(cat port)
}
say() { echo "$1" > open.json.say; }
started() { "$VES" init --db "$1" --server "$URL" --tenant "$TENANT" --store "$STORE" --sequencer-key "$(cat open.json.key)" --api-key-file api-key --json "${@:2}"; }
register()
{
	curl -sf -H 'x-api-key: ss_admin' -H 'content-type: application/json' "$URL/api/v1/agents/keys" -o /dev/null \
		-d "{\"tenantId\":\"$TENANT\",\"agentId\":\"$(json "$1" 'd["agentId"]')\",\"keyId\":1,\"publicKey\":\"$(json "$1" 'd["publicKey"]')\"}"
}

start_open
echo ss_till > api-key
till=$(started till.db)
is "a store is made without an invitation" "$(json "$till" '[d["keyId"], len(d["publicKey"])]')" "[1, 64]"
is "the same again is the same" "$(json "$(started till.db)" '[d["agentId"], d["publicKey"]]')" "$(json "$till" '[d["agentId"], d["publicKey"]]')"
exits "an option is missing" 2 "$VES" init --db x.db --server "$URL" --tenant "$TENANT"
exits "both ways at once" 2 "$VES" init --db x.db --server "$URL" --invite x
append() { "$VES" append --db "$1" "$2" "$3" --payload "$4" > /dev/null; }
push() { "$VES" push --db "$1" --json 2> err; }
sync() { "$VES" sync --db "$1" --json 2> err; }
counts() { store_is "$1" '[d["counts"][s] for s in ("pending", "synced", "failed", "conflict")]'; }
cursor() { store_is "$1" 'd["sequence"]["lastPulled"]'; }

append till.db order.created O-1 '{"total":1}'
is "a key that is not registered: refused, kept" "$(json "$(push till.db)" '[d["failed"], d["problems"][0]["code"]]')" '[1, "agent_key_invalid: Agent key not found"]'
check "the operator registers it" register "$till"
first=$(sync till.db)
is "then it goes, with a receipt that verifies" "$(json "$first" '[d["push"]["accepted"], d["pull"]["applied"], d["ack"]["acknowledged"]]')" "[1, 1, 1]"
is "and the position of what is pulled is not called proven" "$(json "$first" 'd["pull"]["position"]')" unproven

echo ss_office > api-key
office=$(started office.db)
register "$office"
append office.db order.created O-2 '{"total":2}'
is "a second store takes the first one's events, and its own" "$(json "$(sync office.db)" '[d["push"]["accepted"], d["pull"]["cursor"]]') $(counts office.db)" "[1, 2] [0, 1, 0, 0]"
sync till.db > /dev/null
is "and they say the same" "$(store_is till.db 'd["stateHash"]')" "$(store_is office.db 'd["stateHash"]')"

# Both change one entity; the sequencer refuses the second by its version.
append till.db order.updated O-1 '{"note":"till"}'
append office.db order.updated O-1 '{"note":"office"}'
sync till.db > /dev/null
is "a change on an old version: version_conflict" "$(json "$(push office.db)" '[d["conflicts"], d["problems"][0]["code"]]')" '[1, "version_conflict: expected 1, actual 2"]'
sync office.db > /dev/null
conflict=$(json "$("$VES" conflicts --db office.db --json)" 'd["conflicts"][0]["eventId"]')
check "it is a conflict here, and is decided" "$VES" resolve --db office.db "$conflict" --strategy accept_local
is "the decision goes as a new event" "$(json "$(sync office.db)" 'd["push"]["accepted"]') $(counts office.db)" "1 [0, 2, 1, 0]"
like "of the refused one nobody says that it was signed" "$("$VES" why --db office.db "$conflict")" "refused it, and that was decided: reissued as"
sync till.db > /dev/null
is "and all have it" "$(store_is till.db 'd["stateHash"]') $(cursor till.db)" "$(store_is office.db 'd["stateHash"]') 4"

# Answers that are lost, restarts.
append till.db order.created O-3 '{"total":3}'
append till.db order.created O-4 '{"total":4}'
say lose
exits "an answer that is lost" 4 "$VES" push --db till.db
kill -9 "$SERVER_PID"
wait "$SERVER_PID" 2> /dev/null
exits "nobody there" 4 "$VES" push --db till.db
rm open.json.say
start_open
append till.db order.created O-5 '{"total":5}'
is "replays and a new one: receipts for all, nothing twice" "$(json "$(sync till.db)" '[d["pull"]["cursor"], d["push"]["remaining"]]') $(counts till.db)" "[7, 0] [0, 5, 0, 0]"
say unsigned
append till.db order.created O-6 '{"total":6}'
push till.db > /dev/null
is "receipts that nobody signed make nothing synced" "$(counts till.db)" "[1, 5, 0, 0]"
rm open.json.say
sync till.db > /dev/null
is "signed ones do" "$(counts till.db)" "[0, 6, 0, 0]"
say busy
append till.db order.created O-7 '{"total":7}'
exits "it is busy" 4 "$VES" push --db till.db
rm open.json.say
sync till.db > /dev/null
is "then it is not" "$(counts till.db)" "[0, 7, 0, 0]"

# What it cannot do.
command=$(cat /proc/sys/kernel/random/uuid)
for n in 8 9; do "$VES" append --db till.db order.created O-$n --payload '{}' --command-id "$command" > /dev/null; done
is "one command is one event there" "$(json "$(push till.db)" 'd["problems"][0]["code"]')" duplicate_command_id
"$VES" sync --db office.db --watch --interval 1000 > watch 2>&1 &
tap_pids+=("$!")
check "nothing can be followed; it is asked" wait_for 30 grep -q 'asking every 1000 ms (the sequencer has no stream of events here' watch
kill "$!"
wait "$!" 2> /dev/null
kill -9 "$SERVER_PID"
wait "$SERVER_PID" 2> /dev/null
start_open no-directory
echo ss_third > api-key
third=$(started third.db)
register "$third"
append third.db order.created O-10 '{}'
like "without a directory, events of others are not believed" "$("$VES" pull --db third.db 2>&1)" "keeps no directory of keys"
is "one's own go all the same, and wait for the log" "$(json "$(push third.db)" '[d["accepted"], d["remaining"]]') $(cursor third.db)" "[1, 0] 0"
key_of() { json "$1" 'd["agentId"] + "/1/" + d["publicKey"]'; }
exits "the operator says other stores' keys" 0 started third.db --agent-key "$(key_of "$till")" --agent-key "$(key_of "$office")"
sync third.db > /dev/null
exits "and one is added to a store that is in use" 0 started till.db --agent-key "$(key_of "$third")"
sync till.db > /dev/null
is "then they are" "$(store_is third.db 'd["stateHash"]') $(counts third.db)" "$(store_is till.db 'd["stateHash"]') [0, 1, 0, 0]"
like "a key that is another is not taken" "$(started third.db --agent-key "$(key_of "$till" | sed "s|/1/.*|/1/$(cat open.json.key)|")" 2>&1)" "has another key 1 of that agent"
is "routes it has not are asked for, and done without" "$(sort -u open.json.asked | grep -vE ' (/health|/api/v1/(ves/(events|events/ingest|head|cursors/[0-9a-f-]*)|agents/(keys|[0-9a-f-]*/signing-keys)))$' | tr '\n' ' ')" \
	"GET /api/v1/ves/events/stream GET /api/v1/ves/keys GET /api/v1/ves/log GET /api/v1/ves/sequencer-keys "
audits till.db office.db third.db
done_testing
