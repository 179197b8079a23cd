#!/bin/bash
# 39-epoch.sh -- a log whose tail is lost for good goes on in a new epoch: by an
# operator's explicit word only, and no store is left in the dark about it.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
mkdir data heads
SEQ=data/hub.db
start_server $SEQ --head-file heads/heads --log-host log.example || exit 1
LISTEN=${URL#http://}
STREAM_ARGS="--tenant $(cat /proc/sys/kernel/random/uuid) --store $(cat /proc/sys/kernel/random/uuid)"
join till.db && join promised.db && join ahead.db || exit 1
in_log() { sqlite3 "$SEQ" "SELECT max(sequence_number) FROM ves_log_view"; }
all_logged() { "$VES" sync --db "$1" > /dev/null && [ "$(store_is "$1" 'd["finality"]["logged"]')" = "$(in_log)" ]; }
signed() { [ "$(sqlite3 "$SEQ" 'SELECT max(signed_size) FROM ves_tlogs')" = "$1" ]; }
recover() { "$VES" admin recover --db $SEQ --head-file heads/heads "$@" 2>&1; }
alert() { sqlite3 "$1" "SELECT count(*) FROM ves_alerts WHERE code = '$2' AND closed_ms = 0"; }
for i in 1 2 3; do adjust till.db MUG "$i"; done
check "what a signed head covers is logged" wait_for 60 all_logged till.db
check "at another store, too" wait_for 60 all_logged promised.db
check "and at a third" wait_for 60 all_logged ahead.db
common=$(in_log)
sqlite3 $SEQ "VACUUM INTO '$T/old.db'"

# Two events more: one store has a receipt, another has pulled the first of them.
adjust promised.db BOWL 7
check "an event gets its receipt" "$VES" push --db promised.db
check "a store sees it" wait_for 60 all_logged ahead.db
adjust ahead.db BOWL 5
check "and sells on" "$VES" push --db ahead.db
check "a head covers both" wait_for 60 signed $((common + 2))
stop_server
restore() { rm -f data/hub.db data/hub.db-*; cp old.db data/hub.db; }
restore

"$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads > out 2>&1
like "it does not start behind its head" "$(cat out)" "behind a head it signed"
exits "what nobody has does not come back by itself" 1 "$VES" admin recover --db $SEQ --head-file heads/heads till.db
like "how much that is, is said" "$(recover till.db)" "of $((common + 2)) signed events 2 are missing.*--new-epoch"
like "what a store sent and did not pull, it has" "$(recover promised.db)" "of $((common + 2)) signed events 1 are missing"
like "no epoch for another number" "$(recover --new-epoch --give-up 1 till.db)" "2 signed events are in none of these stores, and --give-up says 1"
exits "nor by half a word" 2 "$VES" admin recover --db $SEQ --head-file heads/heads --new-epoch till.db
is "nothing was changed so far" "$(in_log)" "$common"

# Pulled by one store, and sent by it: all of it is there, byte for byte.
check "a store that has all of it is better than any epoch" "$VES" admin recover --db $SEQ --head-file heads/heads --new-epoch --give-up 2 ahead.db
is "no number is missing" "$(in_log)" $((common + 2))
exits "nor is anything else" 0 "$VES" audit $SEQ
restore
cp heads/heads heads.before
like "an epoch is opened by an explicit word" "$(recover --new-epoch --give-up 2 --reason 'the disk burnt' till.db)" "1 new epochs, 2 signed events given up"
is "its opening is the next number" "$(in_log)" $((common + 1))
like "the head file has it" "$(cat heads/heads)" " $((common + 1)) [0-9a-f]{64} 1\$"
like "once" "$(recover till.db)" "0 streams made whole, 0 events put back"
# As if it had been cut short before the head file was written.
cp heads.before heads/heads
"$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads > out 2>&1
like "half of it is not served" "$(cat out)" "behind a head it signed"
like "the same command makes it whole" "$(recover till.db)" "1 new epochs, 0 signed events given up"
is "by the opening that is there" "$(in_log)" $((common + 1))
start_server $SEQ --head-file heads/heads || exit 1
key=$(cat $SEQ.admin-key)
log() { curl -sS -H "x-api-key: $key" "$URL/api/v1/ves/log?$(sed 's/--tenant \(.*\) --store \(.*\)/tenant_id=\1\&store_id=\2/' <<< "$STREAM_ARGS")"; }
like "the log has another name" "$(log)" '"origin":"log.example/epoch/1/ves/[0-9a-f]{64}","epoch":1,"epochSequence":'$((common + 1))

# A store that has nothing of what was lost goes on.
check "a store below the common head follows" wait_for 60 all_logged till.db
is "it is told" "$(alert till.db epoch_opened)" 1
like "in words" "$("$VES" quarantine --db till.db)" "the disk burnt"
adjust till.db MUG 1
check "it sells on" wait_for 60 all_logged till.db

# One whose receipt is broken keeps it, and sends its event again.
check "a store with a broken receipt follows" wait_for 60 all_logged promised.db
is "its event is in the log again" "$(on_hand promised.db BOWL)" 7
is "nothing waits" "$(store_is promised.db 'd["counts"]["pending"] + d["counts"]["failed"]')" 0
is "the receipt is kept" "$(sqlite3 promised.db "SELECT count(*) FROM ves_alerts WHERE code = 'epoch_opened' AND CAST(body AS TEXT) LIKE '%receiptHash%lost_checkpoint%' OR code = 'epoch_opened' AND CAST(body AS TEXT) LIKE '%lost_checkpoint%receipt%'")" 1
is "a person is asked to look" "$(store_is promised.db 'd["health"]')" attention
like "and told which receipt it was" "$("$VES" quarantine --db promised.db)" "1 events of this store had receipts that are broken by it: number $((common + 1)) of $(sqlite3 promised.db 'SELECT event_id FROM ves_outbox_view')"
check "who has looked settles it" "$VES" quarantine --db promised.db --settle 1 --reason "the disk burnt, I was there"
is "then all is well" "$(store_is promised.db 'd["health"] + str(d["finality"]["epoch"])')" healthy1

# One that has more stops, whole, and says what it is.
before=$(store_is ahead.db 'd["stateHash"]')
exits "a store that has more stops (exit 5)" 5 "$VES" pull --db ahead.db
like "and says why" "$("$VES" pull --db ahead.db 2>&1)" "epoch 1 of the log goes on from number $common, and this store has it up to $((common + 1)): 1 events of others and 1 of its own"
is "it is told once" "$(alert ahead.db epoch_beyond)" 1
like "in its status" "$("$VES" status --db ahead.db)" "this store holds some of what was given up"
like "and by doctor" "$("$VES" doctor --db ahead.db)" "gave up some of what this store has seen"
is "nothing of it was touched" "$(store_is ahead.db 'd["stateHash"]')" "$before"
exits "nor does it push" 5 "$VES" sync --db ahead.db

# Its owner lets it go on: nothing is lost by that, and nothing is done unasked.
like "what that means is said first" "$("$VES" epoch follow --dry-run --db ahead.db)" "would go back to there from number $((common + 1))"
is "and nothing is done" "$(store_is ahead.db 'd["stateHash"]')" "$before"
is "as a document, too" "$(json "$("$VES" epoch follow --dry-run --json --db ahead.db)" '[d["dryRun"], d["common"], d["others"], d["own"], d["sentAgain"], d["signedAgain"]]')" "[true, $common, 1, 1, 1, 1]"
check "it goes back to where both are one" "$VES" epoch follow --db ahead.db
is "what it had of others is kept" "$(json "$("$VES" epoch --json --db ahead.db)" 'd["givenUp"]')" 1
check "and can be given to its author" "$VES" epoch export given-up.jsonl --db ahead.db
like "as it was signed" "$(cat given-up.jsonl)" '^{"epoch":1,"sequence_number":[0-9]+,"event":{.*"agent_signature":.*"receipt":{"sequencerId"'
exits "a second time there is nothing to do" 1 "$VES" epoch follow --db ahead.db
check "it follows the epoch" wait_for 60 all_logged ahead.db
is "its event is in the log again, once" "$(sqlite3 $SEQ "SELECT count(*) FROM ves_log_view WHERE event_id = '$(sqlite3 ahead.db 'SELECT event_id FROM ves_outbox_view')'")" 1
is "beside that of the other" "$(on_hand ahead.db BOWL)" 12
for alert in $(sqlite3 ahead.db 'SELECT no FROM ves_alerts WHERE closed_ms = 0'); do
	"$VES" quarantine --db ahead.db --settle "$alert" --reason "the epoch explains it" > /dev/null
done
"$VES" doctor --db ahead.db > doctor.out 2>&1
is "settled by who has looked, it is sound" $? 0
"$VES" audit ahead.db > audit.out
is "and an audit of it finds nothing wrong" $? 10

# Who comes later reads it as history; the log is one tree.
join later.db
check "a new store follows all of it" wait_for 60 all_logged later.db
is "without alarm" "$(store_is later.db 'd["health"]')" healthy
check "till, too" wait_for 60 all_logged till.db
is "both have the same state" "$(store_is till.db 'd["stateHash"]')" "$(store_is later.db 'd["stateHash"]')"
pinned=$(json "$("$VES" keys --db later.db --json)" 'd["sequencer"]["keys"][0]["publicKey"]')
stream=$(sed 's/--tenant \(.*\) --store \(.*\)/\1\/\2/' <<< "$STREAM_ARGS")
exits "nor does one over HTTP, by the sequencer's key alone" 10 "$VES" audit --sequencer "$URL" --stream "$stream" --credential-file later.db.credential --sequencer-key "$pinned"
"$VES" audit later.db > audit.out
is "an audit finds nothing wrong, and not everything proven (exit 10)" $? 10
like "it names the hole" "$(cat audit.out)" "NOT PROVEN +tree: epoch 1 was opened at number $((common + 1)): what was signed before as numbers $((common + 1)) to $((common + 2)) was given up"
promised=$(json "$("$VES" keys --db promised.db --json)" 'd["own"]["agentId"]')
# shellcheck disable=SC2086
check "a key is revoked" "$VES" admin revoke --server "$URL" --key-file $SEQ.admin-key ${STREAM_ARGS%% --store*} --agent "$promised"
check "every store hears of it" wait_for 60 all_logged later.db
stop_server

# The older copy again, and the newest one that turns up after all: neither is
# served.
cp data/hub.db newest.db
restore
"$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads > out 2>&1
like "the older copy is behind again" "$(cat out)" "behind a head it signed"
told=$(recover later.db)
like "and is made whole over the epoch, from stores" "$told" "1 streams made whole, [0-9]+ events put back"
like "that acts of administrators are missing is said" "$told" "DID NOT COME BACK: what agents may send .ves admin policy., API keys"
last_act=$(sed -n 's/.*The last act in this database is number \([0-9]*\), of 2.*/\1/p' <<< "$told")
is "behind which of them" "$last_act" "$("$VES" admin trail --db "$SEQ" --json 2> /dev/null | tail -n 1 | python3 -c 'import json,sys; print(json.load(sys.stdin)["no"])')"
check "and those are in the sequencer's own log, each with what it was for" python3 -c '
import re, sys
acts = [(int(m[1]), m[2]) for line in open(sys.argv[1]) for m in [re.search(r" admin .* no=([0-9]+) .* target=(.*)", line)] if m]
sys.exit(not any(no > int(sys.argv[2]) and sys.argv[3] in target for no, target in acts))' "$SEQ.log" "$last_act" "$promised"
start_server $SEQ --head-file heads/heads || exit 1
adjust till.db MUG 1
check "it goes on under the same name" wait_for 60 all_logged till.db
like "which it still has" "$(log)" '"epoch":1,'
revoked() { sqlite3 "$1" "SELECT revoked_at_sequence, revoked_at_sequence > 0 FROM ves_key_spans WHERE hex(agent) = upper(replace('$promised', '-', ''))"; }
is "what was revoked is so still" "$(revoked $SEQ)" "$(revoked newest.db)"
audits $SEQ
done_testing
