#!/bin/bash
# 20-extension.sh -- the SQLite extension from the sqlite3 shell.
. "$(dirname "$0")/../lib/tap.sh"
EXT=${VES_EXTENSION:-$HERE/$BUILD/ves.so}
[ -f "$EXT" ] || { skip "extension" "there is no $EXT"; done_testing; }
command -v sqlite3 > /dev/null || { skip "extension" "the sqlite3 shell is not installed"; done_testing; }

needed=$(readelf -d "$EXT" | grep NEEDED)
like "it links libsodium and libcrypto" "$needed" 'libsodium|libcrypto'
check "it links neither libsqlite3 nor libcurl" bash -c "! grep -qE 'sqlite|curl|microhttpd' <<< '$needed'"
is "it calls no SQLite function by name" "$(nm -D --undefined-only "$EXT" | grep -c sqlite3_)" 0
is "it exports its entry point alone" "$(nm -D --defined-only "$EXT" | awk '$2 ~ /[A-Z]/ {print $3}')" sqlite3_extension_init

SEQ=$T/seq.db
start_server "$SEQ" || { not_ok "a sequencer runs"; done_testing; }
check "a till joins" join "$T/till.db"
[ -f "$T/till.db" ] || done_testing

# q SQL... -- in one shell with the extension loaded
q() { sqlite3 -bail -cmd ".load $EXT" -cmd ".timeout 10000" "$T/till.db" "$@" 2>&1; }
order="'{\"currency\":\"GBP\",\"lines\":[]}'"

q "CREATE TABLE sales(id INTEGER PRIMARY KEY, sku TEXT)" > /dev/null
id=$(q "BEGIN; INSERT INTO sales(sku) VALUES('A'); SELECT ves_append('order.created','ORD-1',$order); COMMIT;")
like "ves_append gives an event id" "$id" '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
is "committed: the row and the event" "$(q 'SELECT (SELECT count(*) FROM sales), (SELECT count(*) FROM ves_outbox_view)')" "1|1"
q "BEGIN; INSERT INTO sales(sku) VALUES('B'); SELECT ves_append('order.created','ORD-2',$order); ROLLBACK;" > /dev/null
is "rolled back: neither" "$(q 'SELECT (SELECT count(*) FROM sales), (SELECT count(*) FROM ves_outbox_view)')" "1|1"

# A shell that is killed with its transaction open.
mkfifo "$T/in"
sqlite3 -cmd ".load $EXT" "$T/till.db" < "$T/in" > "$T/out" 2>&1 &
shell=$!
exec 3> "$T/in"
echo "BEGIN; INSERT INTO sales(sku) VALUES('C'); SELECT ves_append('order.created','ORD-3',$order);" >&3
echo ".system touch $T/appended" >&3
check "a shell has appended, not committed" wait_for 60 test -e "$T/appended"
kill -9 $shell
wait $shell 2> /dev/null
exec 3>&-
is "killed: neither" "$(q 'SELECT (SELECT count(*) FROM sales), (SELECT count(*) FROM ves_outbox_view)')" "1|1"

like "a relaxed connection is refused" "$(q 'PRAGMA synchronous=NORMAL' "SELECT ves_append('order.created','X',$order)")" 'synchronous'
like "unless told otherwise" "$(q 'PRAGMA synchronous=NORMAL' "SELECT ves_config('allow_relaxed_sync',1)" "SELECT ves_append('order.created','ORD-4',$order)" | tail -n 1)" '^[0-9a-f-]{36}$'
like "bad JSON is an SQL error" "$(q "SELECT ves_append('order.created','X','{')")" 'ves_append: .*not valid JSON'
like "a store of nobody says what to do" "$(sqlite3 -cmd ".load $EXT" "$T/plain.db" 'SELECT ves_status()' 2>&1)" 'ves init'

# What a hostile file might bring along.
q "CREATE TRIGGER evil AFTER INSERT ON sales BEGIN SELECT ves_append('order.cancelled','ORD-1','{}'); END" > /dev/null
like "a trigger cannot sign" "$(q "INSERT INTO sales(sku) VALUES('D')")" 'unsafe use of ves_append'
q "DROP TRIGGER evil; CREATE VIEW evil AS SELECT ves_append('order.cancelled','ORD-1','{}')" > /dev/null
like "a view cannot sign" "$(q "SELECT * FROM evil")" 'unsafe use of ves_append'
q "DROP VIEW evil; CREATE TRIGGER evil AFTER INSERT ON sales BEGIN SELECT ves_config('allow_relaxed_sync',1); END" > /dev/null
like "nor loosen anything" "$(q "INSERT INTO sales(sku) VALUES('D')")" 'unsafe use of ves_config'
q "DROP TRIGGER evil" > /dev/null
is "nothing was signed" "$(q 'SELECT count(*) FROM ves_outbox_view')" 2

# Two shells at once, one chain.
load() { for i in $(seq 25); do echo "SELECT ves_append('inventory.adjusted','SKU-1','{\"delta\":\"$1\"}');"; done | q > "$T/load$1"; }
load 1 & one=$!
load 2 & two=$!
wait $one $two
is "two shells append 50 events" "$(sort -u "$T/load1" "$T/load2" | grep -c '^[0-9a-f-]\{36\}$')" 50
is "the local view counts them" "$(q "SELECT json_extract(ves_entity('inventory','SKU-1'),'\$.pending')")" 50
check "doctor finds nothing" "$VES" doctor --db "$T/till.db"

status=$("$VES" status --db "$T/till.db" --json)
is "ves status and ves_status() agree" "$(q "SELECT json_extract(ves_status(),'\$.counts.pending')")" "$(json "$status" 'd["counts"]["pending"]')"
like "ves_why says it has not been sent" "$(q "SELECT json_extract(ves_why('$id'),'\$.explanation')")" 'not yet at the sequencer'
check "ves sync sends what SQL signed" "$VES" sync --db "$T/till.db"
is "everything is synced" "$(q "SELECT json_extract(ves_status(),'\$.counts.synced')")" 52
like "ves_why says where it is" "$(q "SELECT json_extract(ves_why('$id'),'\$.explanation')")" 'number 2 of the stream'
is "ves_state_hash() is the stream's" "$(q 'SELECT ves_state_hash()')" "$(json "$("$VES" status --db "$T/till.db" --json)" 'd["stateHash"]')"
done_testing
