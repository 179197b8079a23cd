#!/bin/bash
# 31-device.sh -- a store under fire: ids that talk to the terminal, payloads of
# unusual shape, backups that are killed, a sequencer that rewrote its history;
# after each part an independent checker (test/lib/check_state.py) agrees.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
PORT=${URL##*:}
join till.db
join office.db
agrees() { check "$1: an independent checker agrees" lib check_state "$2" --hash "$(store_is "$2" 'd["stateHash"]')"; }
# What a terminal would obey, apart from line ends: prints the lines.
obeyed() { LC_ALL=C grep -nP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]'; }

# Ids and types of others, printed.
esc=$'\e]0;owned\a\e[31m' c1=$'\xc2\x9b31m' turn=$'\xe2\x80\xae' del=$'\x7f'
"$VES" append --db till.db order.created "A$esc" --payload '{"currency":"GBP"}' > /dev/null
"$VES" append --db till.db "x$esc.$c1" $'two\nlines' --payload "{\"a\":\"$c1$del\"}" > /dev/null
"$VES" append --db till.db order.created "B$c1$turn$del" --payload "{\"currency\":\"GBP\",\"note\":\"$c1$del\"}" > /dev/null
check "ids with escape sequences sync" "$VES" sync --db till.db
check "and arrive" "$VES" sync --db office.db
"$VES" log --db office.db > log.out
is "the log shows one line an event, two keys among them, and one for the store" "$(wc -l < log.out)" 6
is "and nothing a terminal would obey" "$(obeyed < log.out)" ""
like "but spells it out" "$(cat log.out)" 'A\\u001b\]0;owned\\u0007'
is "the outbox neither" "$("$VES" outbox --db till.db | obeyed)" ""
is "an entity neither" "$("$VES" entity --db office.db order "B$c1$turn$del" | obeyed)" ""
id=$("$VES" log --db office.db --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["events"][1]["event"]["eventId"])')
is "one event neither" "$("$VES" show --db office.db "$id" | obeyed)" ""
is "an error neither" "$("$VES" entity --db office.db order "C$esc" 2>&1 | obeyed)" ""
is "wrong usage neither" "$("$VES" why --db office.db "$esc" 2>&1 | obeyed)" ""
"$VES" log --db office.db --json > plain.json
lib on_terminal "$VES" log --db office.db --json | tr -d '\r' > shown.json
is "nor a document shown on a terminal" "$(obeyed < shown.json)" ""
check "which is the same document" python3 -c 'import json; assert json.load(open("plain.json")) == json.load(open("shown.json"))'
agrees "ids" office.db

# Shapes: many members in an order of their own, as deep as is allowed.
wide=$(python3 -c 'import json; print(json.dumps({"name":"n", **{"K%d" % i: i for i in range(40,0,-1)}}))')
check "a payload of 41 members is appended" "$VES" append --db till.db customer.created WIDE --payload "$wide"
deep=$(python3 -c 'print("{\"a\":"*63 + "1" + "}"*63)')
check "one of 63 levels too" "$VES" append --db till.db order.created DEEP --payload "$deep"
exits "one of 64 is not" 1 "$VES" append --db till.db order.created DEEP --payload "{\"a\":$deep}"
check "they sync" "$VES" sync --db till.db
"$VES" sync --db office.db > /dev/null
is "all members arrive" "$(json "$("$VES" entity --db office.db customer WIDE --json)" 'sum(d["localState"]["K%d" % i] for i in range(1,41))')" 820
check "the deep one can be looked at" "$VES" entity --db office.db order DEEP
check "and so can the log that holds it" "$VES" log --db office.db
exits "till in order" 0 "$VES" doctor --db till.db
agrees "shapes, till" till.db
agrees "shapes, office" office.db

# Settings: all of a command, or none.
exits "an unknown setting among others" 1 "$VES" settings --db till.db batchSize=7 nonsense=1
is "changes none of them" "$(json "$("$VES" settings --db till.db --json)" 'd["settings"]["batchSize"]')" 100
check "an empty variable counts as none" env VES_BATCH_SIZE= "$VES" status --db till.db

# A backup is whole, or there is none under that name.
sqlite3 till.db "CREATE TABLE ballast(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO ballast SELECT randomblob(1000) FROM n"
for i in 1 2 3 4 5 6 7 8; do
	"$VES" backup --db till.db "b$i.db" > /dev/null 2>&1 &
	sleep "0.0$((i * 9))"
	kill -9 $! 2> /dev/null
	wait $! 2> /dev/null
	[ ! -e "b$i.db" ] || is "backup $i came to its end" "$(sqlite3 "b$i.db" 'SELECT count(*) FROM ballast; PRAGMA quick_check' 2>&1)" $'20000\nok'
done
check "a backup" "$VES" backup --db till.db whole.db
is "leaves nothing beside it" "$(compgen -G 'whole.db?*')" ""
exits "and is not overwritten" 1 "$VES" backup --db till.db whole.db
"$VES" append --db whole.db order.created X --payload '{}' > out 2>&1
like "without its key it says what is missing and what to do" "$(cat out)" "whole.db.key is not there; nothing was signed; put it back"
agrees "backup" whole.db

# A sequencer restored from an older copy, which then goes on: whoever has seen
# more must notice, even though the numbers fit.
sqlite3 "$SEQ" ".backup old.db"
adjust till.db MUG 10
adjust till.db MUG 10
"$VES" sync --db till.db > /dev/null
stop_server
rm -f "$SEQ-wal" "$SEQ-shm"
cp old.db "$SEQ"
LISTEN=127.0.0.1:$PORT start_server "$SEQ" || exit 1
for n in 1 2 3 4; do adjust office.db MUG 100; done
"$VES" sync --db office.db > /dev/null
exits "two histories are noticed" 5 "$VES" sync --db till.db
like "and said" "$("$VES" pull --db till.db 2>&1)" "has not the log whose signed head this store verified|gave one number to two different events"
like "the message names the evidence" "$("$VES" pull --db till.db 2>&1)" 'in .*till\.db\.[0-9]+\.ves-evidence'
is "in one file" "$(ls till.db.*.ves-evidence | wc -l)" 1
vkey=$(curl -sS -H "x-api-key: $(cat "$SEQ.admin-key")" "$URL/api/v1/ves/log?tenant_id=$TENANT&store_id=$STORE" | python3 -c 'import json,sys; print(json.load(sys.stdin)["vkeys"][-1])')
printf 'log %s\nquorum none\n' "$vkey" > policy
exits "which proves it with the log's key alone" 0 "$VES" verify till.db.*.ves-evidence --policy policy
is "health is attention" "$(store_is till.db 'd["health"]')" attention
is "nothing of the other history was applied" "$(on_hand till.db MUG)" 20
agrees "two histories" till.db
done_testing
