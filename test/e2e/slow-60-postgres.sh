#!/bin/bash
# slow-60-postgres.sh -- several sequencers on one PostgreSQL database: one order,
# whoever answers, and kill -9 of one of them takes nothing with it.
. "$(dirname "$0")/../lib/tap.sh"
SERVER=$("$HERE/test/lib/postgres" start $$)
case $? in
0) ;;
77) skip "sequencers on PostgreSQL" "$SERVER"; done_testing ;;
*) not_ok "a PostgreSQL server starts"; echo "$SERVER" | sed 's/^/# /'; done_testing ;;
esac
PG=$(head -n 1 <<< "$SERVER") DB=$(tail -n 1 <<< "$SERVER")
cd "$T" || exit 1
sql() { psql -X -q -A -t -h "$PG" -U ves -d postgres -c "$1"; }

# serve NAME [OPTIONS...] -- one more sequencer; sets PID_NAME and URL_NAME.
serve()
{
	local name=$1
	shift
	rm -f "$name.port"
	[ -n "${PORT:-}" ] || free_port
	"$VES" serve --store "$DB" --signing-key seq.key --listen "127.0.0.1:${PORT:-$FREE_PORT}" --port-file "$name.port" "$@" >> "$name.log" 2>&1 &
	eval "PID_$name=$!"
	tap_pids+=("$!")
	wait_for 60 test -s "$name.port" || { sed 's/^/# /' "$name.log"; return 1; }
	eval "URL_$name=http://$(cat "$name.port")"
}

# ---- setting up -------------------------------------------------------------
out=$("$VES" serve --store "$DB" --signing-key seq.key --listen 127.0.0.1:0 2>&1)
like "without tables it does not serve, and says what to do" "$out" 'ves admin init --store'
check "admin init sets the database up" "$VES" admin init --store "$DB" --signing-key seq.key --admin-key-file seq.admin-key
is "both keys are files of mode 0600" "$(stat -c %a seq.key seq.admin-key | tr '\n' ' ')" "600 600 "
cp seq.key seq.before
exits "a second init changes nothing" 1 "$VES" admin init --store "$DB" --signing-key other.key --admin-key-file other-admin.key
check "... and leaves no file" test ! -e other.key -a ! -e other-admin.key
exits "nor with the admin key's file of the first" 1 "$VES" admin init --store "$DB" --signing-key seq.key --admin-key-file seq.admin-key
check "... whose keys are as they were" cmp seq.key seq.before
"$VES" serve --db elsewhere.db --listen 127.0.0.1:0 --port-file e.port > /dev/null 2>&1 & other=$!
wait_for 60 test -s e.port; kill $other; wait $other 2> /dev/null
out=$("$VES" serve --store "$DB" --signing-key elsewhere.db.key --listen 127.0.0.1:0 2>&1)
like "another key than the database's does not serve" "$out" 'is not the key this database signs with'
for url in "postgres://ves:s3cret@h/d" "postgres://h/d?password=s3cret"; do
	out=$("$VES" serve --store "$url" --signing-key seq.key --listen 127.0.0.1:0 2>&1)
	like "a password in the URL is refused" "$out" 'PGPASSFILE'
	is "... and not repeated" "$(grep -c s3cret <<< "$out")" 0
done

# ---- two of them ------------------------------------------------------------
serve a || { not_ok "the first serves"; done_testing; }
serve b || { not_ok "the second serves beside it"; done_testing; }
SEQ=$T/seq
STREAM_ARGS="--tenant $(cat /proc/sys/kernel/random/uuid) --store $(cat /proc/sys/kernel/random/uuid)"
URL=$URL_a; join one.db; join two.db
URL=$URL_b; join three.db
[ -e one.db ] && [ -e two.db ] && [ -e three.db ] || { not_ok "stores join"; done_testing; }
is "what one has invited the other knows: stores join at both (and the sequencer has a key)" "$(sql 'SELECT count(*) FROM ves_agent_keys')" 4
# The first till turns to the other server.
sqlite3 one.db "UPDATE ves_meta SET value = '$URL_b' WHERE value = '$URL_a'"
is "one till has another server now" "$(sqlite3 one.db "SELECT count(*) FROM ves_meta WHERE value = '$URL_b'")" 1
check "an API key that one made is good at the other at once" "$VES" sync --db one.db

# till DB -- appends and syncs until told to stop.
till()
{
	local n=0
	while [ ! -e stop ]; do
		n=$((n + 1))
		"$VES" append --db "$1" inventory.adjusted "SKU-$((n % 5))" --payload "{\"delta\":-1,\"n\":$n}" > /dev/null 2>> till.log && echo x >> "$1.appended"
		[ $((n % 3)) -eq 0 ] && "$VES" sync --db "$1" >> "$1.log" 2>&1
	done
}
tills=()
for s in one two three; do till $s.db & tills+=($!); done
wait_for 60 sh -c '[ "$(cat one.db.appended two.db.appended three.db.appended | wc -l)" -ge 20 ]'
kill -9 "$PID_b"; wait "$PID_b" 2> /dev/null
killed_at=$(sql 'SELECT max(head) FROM ves_streams')
wait_for 60 sh -c "[ \"\$(psql -X -q -A -t -h $PG -U ves -d postgres -c 'SELECT max(head) FROM ves_streams')\" -gt $killed_at ]"
ok "kill -9 of one: the other goes on (past event $killed_at)"
PORT=${URL_b##*:} serve b || not_ok "the killed one serves again"
wait_for 60 sh -c "[ \"\$(psql -X -q -A -t -h $PG -U ves -d postgres -c 'SELECT max(head) FROM ves_streams')\" -gt $((killed_at + 10)) ]"
before=$(sql 'SELECT max(head) FROM ves_streams')
"$HERE/test/lib/postgres" kill "$PG"
check "kill -9 of the database: it starts again" "$HERE/test/lib/postgres" again "$PG"
wait_for 60 sh -c "[ \"\$(psql -X -q -A -t -h $PG -U ves -d postgres -c 'SELECT max(head) FROM ves_streams')\" -gt $before ]" &&
	ok "... and the sequencers find it by themselves" || not_ok "... and the sequencers find it by themselves"
touch stop; wait "${tills[@]}"
settled=0
for _ in 1 2; do for s in one two three; do "$VES" sync --db $s.db >> sync.log 2>&1 || settled=$?; done; done
for s in one two three; do "$VES" sync --db $s.db >> sync.log 2>&1 || settled=$?; done
is "every store syncs" $settled 0 || tail sync.log
for s in one two three; do
	is "$s: what was appended is there" "$(sqlite3 $s.db 'SELECT count(*) FROM ves_outbox')" "$(wc -l < $s.db.appended)"
done
lib pg_hub "$PG" hub.db || not_ok "reading the database with psql"
check "an independent checker finds every event once, in order, every receipt valid" lib check_log hub.db one.db two.db three.db --settled --signatures 20
wait_for 60 sh -c "[ \"\$(psql -X -q -A -t -h $PG -U ves -d postgres -c 'SELECT count(*) FROM ves_tlogs t JOIN ves_streams s USING (stream_no) WHERE t.signed_size <> s.head')\" = 0 ]"
is "one head is signed for all there is" "$(sql 'SELECT count(*) FROM ves_tlogs t JOIN ves_streams s USING (stream_no) WHERE t.signed_size <> s.head')" 0
for s in one two three; do check "$s is sound, its log proved" "$VES" doctor --db $s.db; done
echo "# $(sql 'SELECT max(head) FROM ves_streams') events"

# ---- what one changes the other sees ----------------------------------------
agent=$(json "$("$VES" settings --db one.db --json)" 'd["fixed"]["agentId"]')
check "a key and its API key are revoked at the first" "$VES" admin revoke --server "$URL_a" --key-file seq.admin-key --tenant "$(cut -d ' ' -f 2 <<< "$STREAM_ARGS")" --agent "$agent" --with-api-keys
refused() { ! "$VES" pull --db one.db > pull.out 2>&1; }
check "the second takes the API key no more within seconds" wait_for 60 refused
kill -TERM "$PID_b"; wait "$PID_b" 2> /dev/null
serve b --rotate-key || not_ok "one starts again with the next key"
adjust two.db SKU-1 1
"$VES" push --db two.db > push.out 2>&1
like "whoever still has the old key takes no event and says why" "$(cat a.log)" 'commit_failed.*sequencer.keys'
is "... so nothing was stored" "$(store_is two.db 'd["counts"]["pending"]')" 1
kill -TERM "$PID_a"; wait "$PID_a" 2> /dev/null
PORT=${URL_a##*:} serve a || not_ok "it starts anew, with the new key"
check "with the new key it takes it" wait_for 60 "$VES" sync --db two.db
kill -TERM "$PID_a" "$PID_b"
wait "$PID_a" "$PID_b" 2> /dev/null
ok "both stop"

# ---- set back, and made whole ------------------------------------------------
nobody() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ves'")" = 0 ]; }
wait_for 60 nobody
psql -X -q -h "$PG" -U ves -d template1 -c 'CREATE DATABASE old TEMPLATE postgres' || not_ok "the database is copied"
PORT=${URL_a##*:} serve a --head-file heads --new-head-file
for n in 1 2 3; do adjust two.db SKU-1 1; done
check "events that only the newer database has" wait_for 60 "$VES" push --db two.db
signed() { [ "$(sql 'SELECT count(*) FROM ves_tlogs t JOIN ves_streams s USING (stream_no) WHERE t.signed_size <> s.head')" = 0 ]; }
check "their head is signed" wait_for 60 signed
# All of it read from outside, with every head that the stores and the head file
# keep.
check "a store has all of it" "$VES" sync --db two.db
doc=$("$VES" audit --json --work "$T" --sequencer "$URL_a" --stream "$(sed 's/--tenant \(.*\) --store \(.*\)/\1\/\2/' <<< "$STREAM_ARGS")" --credential-file two.db.credential \
	--sequencer-key "$(json "$("$VES" keys --db two.db --json)" 'd["sequencer"]["keys"][0]["publicKey"]')" --known one.db --known two.db --known heads 2> audit.err)
is "an audit from outside finds nothing" "$? $(json "$doc" '[(c["name"], c["finding"]) for c in d["checks"] if c["finding"] != "PROVEN"], d["findings"]' 2>&1)" '0 [[], []]'
recover() { "$VES" admin recover --store "$1" --signing-key seq.key --head-file heads one.db two.db three.db 2>&1; }
like "a database that is served is not recovered" "$(recover "$DB")" 'other connections of ves .* stop every sequencer'
kill -TERM "$PID_a"; wait "$PID_a" 2> /dev/null
like "one that was set back is made whole from a store" "$(recover "postgres://ves@/old?host=$PG")" '1 streams made whole, 3 events put back'
whole() { psql -X -q -A -t -h "$PG" -U ves -d "$1" -c 'SELECT md5(string_agg(encode(event_hash, $$hex$$) || encode(receipt, $$hex$$), $$,$$ ORDER BY stream_no, sequence_number)) FROM ves_events'; }
is "... and has what the other has, receipt for receipt" "$(whole old)" "$(whole postgres)"
"$HERE/test/lib/postgres" stop "$PG"
done_testing
