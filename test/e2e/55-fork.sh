#!/bin/bash
# 55-fork.sh -- a sequencer that shows two histories to a store: it is refused,
# and the evidence is beside the store for anybody with the log's key.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
mkdir data heads
SEQ=data/hub.db
start_server $SEQ --head-file heads/heads --log-host log.example || exit 1
LISTEN=${URL#http://}
KEY=$(cat $SEQ.admin-key)
tenant=$(cat /proc/sys/kernel/random/uuid) store=$(cat /proc/sys/kernel/random/uuid)
STREAM_ARGS="--tenant $tenant --store $store"
join till.db && join other.db && join promised.db || exit 1
# Two whose claims to know a head do not reach the sequencer.
echo unclaimed > mode
start_proxy mode || exit 1
direct=$URL URL=$PROXY
join slow.db && join slower.db && join apart.db || exit 1
URL=$direct
in_log() { sqlite3 "$SEQ" "SELECT max(sequence_number) FROM ves_log_view"; }
all_logged() { "$VES" sync --db "$1" > /dev/null && [ "$(store_is "$1" 'd["finality"]["logged"]')" = "$(in_log)" ]; }
for i in 1 2 3; do adjust till.db MUG "$i"; done
check "what a signed head covers is logged" wait_for 60 all_logged till.db
check "of others, too" wait_for 60 all_logged other.db
check "and of one more" wait_for 60 all_logged promised.db
known=$(in_log)
id=$("$VES" outbox --db till.db --json --limit 1 | python3 -c 'import json,sys; print(json.load(sys.stdin)["events"][0]["eventId"])')
is "the outbox says so" "$("$VES" outbox --db till.db --json | python3 -c 'import json,sys; print({e["finality"] for e in json.load(sys.stdin)["events"]})')" "{'logged'}"
is "and show" "$(json "$("$VES" show --db till.db --json "$id")" 'd["finality"]')" logged
like "and why" "$("$VES" why --db till.db "$id")" "It is logged: a signed head of the log"
like "and status" "$("$VES" status --db till.db)" "logged up to $(in_log), witnessed up to 0"
sqlite3 $SEQ "VACUUM INTO '$T/old.db'"

# The log goes on, and the till with it; one store has a receipt and does not
# pull ...
adjust promised.db BOWL 7
check "an event gets its receipt" "$VES" push --db promised.db
is "for the next number" "$(sqlite3 promised.db "SELECT max(sequence_number) FROM ves_outbox")" $((known + 1))
for i in 1 2 3; do adjust till.db MUG "$i"; done
check "it goes on" wait_for 60 all_logged till.db
size=$(in_log)
check "and one behind the proxy" wait_for 60 all_logged apart.db
# Two more pull a little of it, and verify a head that is far beyond.
for s in slow slower; do "$VES" pull --db $s.db --limit 1 > /dev/null || exit 1; done
is "a head is verified beyond what was pulled" "$(sqlite3 slow.db "SELECT max(sequence_number) FROM ves_events" 2> /dev/null):$(store_is slow.db 'd["sequence"]["remoteHead"] >= '"$size")" "1:true"
vkey=$(curl -sS -H "x-api-key: $KEY" "$URL/api/v1/ves/log?tenant_id=$tenant&store_id=$store" | python3 -c 'import json,sys; print(json.load(sys.stdin)["vkeys"][-1])')
printf 'log %s\nquorum none\n' "$vkey" > policy
stop_server

# ... then somebody goes on from a backup, with another history.
rm -f data/hub.db data/hub.db-wal data/hub.db-shm && cp old.db data/hub.db
start_server $SEQ --head-file heads/heads2 --new-head-file || exit 1
for i in 1 2 3 4 5; do adjust other.db CUP "$i"; done
check "who knows no better is told it" wait_for 60 all_logged other.db
# Who has pulled up to neither head asks how the one goes on from the other: an
# answer shows that it does not; without one both are kept for others to see.
for s in slow slower; do
	echo "unclaimed$([ $s = slow ] || echo -mute)" > mode
	exits "$s.db does not go on (exit 5)" 5 "$VES" pull --db $s.db --limit 1
done
exits "two heads beyond what was pulled, proven by one path" 0 "$VES" verify slow.db.?.ves-evidence --policy policy
like "which is in it" "$(sed -n 3p slow.db.?.ves-evidence)" "^last "
like "two heads that nobody joined: signed" "$("$VES" verify slower.db.?.heads.ves-evidence --policy policy)" "PROVEN +log signature"
exits "and not proven to be two histories (exit 10)" 10 "$VES" verify slower.db.?.heads.ves-evidence --policy policy
is "a person is asked" "$(store_is slower.db 'd["health"]')" attention

# Who has pulled all of it finds the place by itself, and tells the sequencer,
# which stops.
before=$(store_is till.db 'd["stateHash"]')
exits "the till does not take it (exit 5)" 5 "$VES" pull --db till.db
is "its state is what it was" "$(store_is till.db 'd["stateHash"]')" "$before"
is "it asks for a person" "$(store_is till.db 'd["health"]')" attention
like "it says where the evidence is" "$("$VES" pull --db till.db 2>&1)" 'in .*till.db\.'"$size"'\.ves-evidence'
is "in one file" "$(ls till.db.*.ves-evidence | wc -l)" 1
exits "which proves it with the log's key alone" 0 "$VES" verify till.db.*.ves-evidence --policy policy
sed 's/^[^+]*+/log x+/; s/\(.*\)\(....\)$/\1AAA=/' policy > other-policy
"$VES" verify till.db.*.ves-evidence --policy other-policy > /dev/null 2>&1
[ $? -ne 0 ] && ok "and not with another one" || not_ok "and not with another one"
is "the alert keeps the file" "$(sqlite3 till.db "SELECT count(*) FROM ves_alerts WHERE code = 'log_fork' AND closed_ms = 0 AND length(body) > 0")" 1

# One whose claim is refused, and whom nobody shows why, has both heads to show.
echo mute > mode
exits "a head that is refused without a proof (exit 5)" 5 "$VES" pull --db apart.db
like "is told with the file it leaves" "$("$VES" pull --db apart.db 2>&1)" 'in .*apart\.db\.[0-9]*\.heads\.ves-evidence$'
exits "of both heads, not proven to be two histories (exit 10)" 10 "$VES" verify apart.db.*.heads.ves-evidence --policy policy

# The store with the receipt verified no head that contradicts this history, but
# another event stands where its own was promised to stand.
exits "a broken promise is refused (exit 5)" 5 "$VES" pull --db promised.db
is "nothing of it is here" "$(sqlite3 promised.db "SELECT count(*) FROM ves_events")" "$known"
is "a person is asked" "$(store_is promised.db 'd["health"]')" attention
like "the file is named" "$("$VES" pull --db promised.db 2>&1)" 'in .*promised\.db\.'"$known"'\.ves-evidence'
like "it is proven with the log's key alone" "$("$VES" verify promised.db."$known".ves-evidence --policy policy)" "another event where"
exits "by exit code, too" 0 "$VES" verify promised.db."$known".ves-evidence --policy policy
like "its kind" "$(head -c 200 promised.db."$known".ves-evidence)" "receipt"
is "that alert keeps the file" "$(sqlite3 promised.db "SELECT count(*) FROM ves_alerts WHERE code = 'receipt_broken' AND closed_ms = 0 AND length(body) > 0")" 1
adjust till.db MUG 1
is "selling goes on" "$(store_is till.db 'd["counts"]["pending"]')" 1
done_testing
