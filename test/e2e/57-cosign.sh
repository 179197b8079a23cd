#!/bin/bash
# 57-cosign.sh -- the sequencer asks witnesses: good ones, absent ones, liars,
# and one that knows more than a restored database.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1

# fetch PATH -- with the admin's key.
fetch() { curl -s --noproxy '*' -H "x-api-key: $(cat "$SEQ.admin-key")" "$URL$1"; }
metric() { fetch /metrics | sed -n "s/^$1 //p"; }
at_least() { [ "$(metric "$1")" -ge "$2" ]; }
# lines NAME -- lines of that cosigner on the newest head.
lines() { fetch "$PREFIX/checkpoint" | grep -c "^— $1 "; }
has_line() { [ "$(lines "$1")" -ge 1 ]; }
size() { fetch "$PREFIX/checkpoint" | sed -n 2p; }

start_witness()
{
	rm -f "$T/w.port"
	"$VES" witness --dir "$T/w" --logs "$T/logs" --name w.example --listen "127.0.0.1:${1:-0}" --port-file "$T/w.port" > "$T/w.vkey" 2>> "$T/w.log" &
	WITNESS_PID=$!
	tap_pids+=("$WITNESS_PID")
	wait_for 60 test -s "$T/w.port" || { sed 's/^/# /' "$T/w.log"; return 1; }
	WITNESS=http://$(cat "$T/w.port")
}

# One address for all starts: the store remembers it.
free_port
LISTEN=127.0.0.1:$FREE_PORT
new_hub --log-host shop.example || { not_ok "a sequencer"; done_testing; }
join till.db
adjust till.db A 5
check "a push" "$VES" push --db till.db
doc=$(fetch "/api/v1/ves/log?tenant_id=$TENANT&store_id=$STORE")
PREFIX=$(json "$doc" 'd["prefix"]')
echo "prefix shop.example/ves/ $(json "$doc" 'd["vkeys"][0].split("+", 2)[2]')" > logs
free_port
start_witness "$FREE_PORT" || { not_ok "a witness"; done_testing; }
mkdir x
printf 'witness w %s %s\nquorum w\n' "$(cat w.vkey)" "$WITNESS/" > policy
stop_server
sqlite3 hub.db "VACUUM INTO 'x/hub.db.old'" # a backup, for later
start_server "$SEQ" --witness-policy policy || { not_ok "a sequencer with witnesses"; done_testing; }
check "the head is cosigned, growth or not" wait_for 60 has_line w.example
first=$(size)
adjust till.db A 5
check "a push" "$VES" push --db till.db
check "and the next one" wait_for 60 at_least sequencer_witness_cosignatures_total 2
check "has its line" wait_for 60 has_line w.example
is "of a larger tree" "$(($(size) > first))" 1
is "nothing failed" "$(metric sequencer_witness_failures_total)" 0

# It starts with old 0, and learns what the witness has.
stop_server
start_server "$SEQ" --witness-policy policy
check "after a restart it is cosigned again" wait_for 60 at_least sequencer_witness_cosignatures_total 1
is "without a failure" "$(metric sequencer_witness_failures_total)" 0

# Nobody waits for a witness.
port=${WITNESS##*:}
kill -9 "$WITNESS_PID"
wait "$WITNESS_PID" 2> /dev/null
adjust till.db A 5
check "the witness is down: a sync" "$VES" sync --db till.db
check "which is counted" wait_for 60 at_least sequencer_witness_failures_total 1
is "and nothing is pending" "$(store_is till.db 'd["counts"]["pending"]')" 0
start_witness "$port" || { not_ok "the witness again"; done_testing; }
check "it is back: the head is cosigned" wait_for 60 has_line w.example

# Who answers without being the witness gets nothing in, and stops nothing; nor
# does one that is silent keep the others waiting.
"$PYTHON" -E "$HERE/test/lib/fake_witness.py" fake.port asked &
tap_pids+=("$!")
wait_for 60 test -s fake.port
liars="garbage echo nonsense elsewhere flood silent fork larger"
for liar in $liars; do
	openssl genpkey -algorithm ed25519 2> /dev/null | openssl pkey -pubout -outform DER | tail -c 32 > key
	python3 - "$liar" "http://$(cat fake.port)/$liar/" <<-'PY'
		import base64, hashlib, sys
		name, url = sys.argv[1:3]
		key = b"\4" + open("key", "rb").read()
		id = hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8]
		print("witness", name, "%s+%s+%s" % (name, id, base64.b64encode(key).decode()), url)
	PY
done > policy2
echo "quorum none" >> policy2
was=$(size)
stop_server
start_server "$SEQ" --witness-policy policy2 || { not_ok "a start with liars"; done_testing; }
adjust till.db A 1
check "among liars: a sync" "$VES" sync --db till.db
check "some are failures" wait_for 60 at_least sequencer_witness_failures_total 7
check "some are alarms" wait_for 60 at_least sequencer_witness_alarms_total 2
check "the silent one was asked" wait_for 60 grep -q silent asked
# The head before it had a true witness.
grown() { [ "$(size)" -gt "$was" ]; }
check "the head is one that only liars were asked for" wait_for 60 grown
is "none is believed" "$(fetch "$PREFIX/checkpoint" | grep '^— ' | grep -vc '^— shop\.example/')" 0
stop_server
is "its word freezes nothing" "$(sqlite3 hub.db 'SELECT frozen_at_ms FROM ves_tlogs')" 0
is "and is an alert each" "$(sqlite3 hub.db "SELECT count(*) FROM ves_alerts WHERE code = 'witness'")" 2

# A backup is restored: the witness shows what we signed and do not have.
start_server "$SEQ" --witness-policy policy
check "the newest head is cosigned" wait_for 60 has_line w.example
stop_server
mv hub.db lost.db
rm -f hub.db-wal hub.db-shm
cp x/hub.db.old hub.db
start_server "$SEQ" --witness-policy policy || { not_ok "the old database"; done_testing; }
is_frozen() { [ "$(json "$(fetch "/api/v1/ves/log?tenant_id=$TENANT&store_id=$STORE")" 'd["frozen"] is not None')" = true ]; }
check "the stream is frozen" wait_for 60 is_frozen
adjust till.db A 5
"$VES" push --db till.db > /dev/null 2>&1
is "no event is lost" "$(store_is till.db 'd["counts"]["pending"] + d["counts"]["failed"]')" 1
stop_server
like "the evidence is our own signature" "$(sqlite3 hub.db "SELECT CAST(body AS TEXT) FROM ves_alerts WHERE code = 'log_frozen'")" '^— shop\.example/ves/'
exits "a policy without a URL" 1 "$VES" serve --db n.db --listen 127.0.0.1:0 --witness-policy <(printf 'witness w %s\nquorum w\n' "$(cat w.vkey)")
exits "no policy at all" 1 "$VES" serve --db n.db --listen 127.0.0.1:0 --witness-policy nowhere
done_testing
