#!/bin/bash
# 35-silent.sh -- a sequencer that takes the connection and never answers: who
# waits for it can stop at once, and nothing is lost or told wrongly.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join till.db
adjust till.db MUG 10
"$VES" sync --db till.db > /dev/null
adjust till.db MUG -1
REAL=$URL
"$PYTHON" -E "$HERE/test/lib/silent.py" silent.port seen &
tap_pids+=("$!")
wait_for 60 test -s silent.port
point_to() { sqlite3 till.db "UPDATE ves_meta SET value = '$1' WHERE name = 'sequencer.url'"; }
point_to "http://$(cat silent.port)"
reachable() { sqlite3 till.db "SELECT value FROM ves_meta WHERE name = 'sequencer.reachable'"; }

# stops NAME SIGNAL COMMAND... -- is sent the signal while it waits for the
# server, and ends: exit 3, with the documented words.  The timeout of a request
# is 60 seconds.
stops()
{
	local name=$1 signal=$2 pid code
	shift 2
	rm -f seen
	"$@" > out 2> err &
	pid=$!
	tap_pids+=("$pid")
	wait_for 60 test -s seen || not_ok "$name: it waits for the server"
	kill "-$signal" "$pid"
	wait_for 40 bash -c "! kill -0 $pid" || kill -9 "$pid"
	wait "$pid"
	code=$?
	is "$name: SIG$signal ends it with exit 3" $code 3
	like "$name: it says that what is done is kept" "$(cat err)" "interrupted; what is done is kept"
}

set -m # bash lets background jobs ignore SIGINT otherwise
stops push INT "$VES" push --db till.db
like "it was sending" "$(cat seen)" "^(GET|POST) "
is "the event is pending" "$(store_is till.db 'd["counts"]["pending"]')" 1
is "nobody is taken to push" "$(sqlite3 till.db "SELECT value FROM ves_meta WHERE name = 'push.lease'" | grep -o 'is_held=[01]')" is_held=0
is "who stopped learned nothing of the sequencer" "$(reachable)" 1
is "and health is no other" "$(store_is till.db 'd["health"]')" pending_work
stops pull TERM "$VES" pull --db till.db
stops sync INT "$VES" sync --db till.db
is "nothing was counted against the event" "$(sqlite3 till.db "SELECT sum(attempts) FROM ves_outbox")" 0

# ves mcp, stopped in the middle of a tool call.
cat > mcp.py <<'E2'
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
import mcp_pipe as m
p = m.Pipe([sys.argv[2], "mcp", "--db", "till.db"])
p.ask(m.initialize())
p.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
p.send(m.request(1, "tools/call", name=sys.argv[3], arguments={}))
end = time.monotonic() + 60
while not os.path.exists("seen") and time.monotonic() < end:
    time.sleep(0.02)
p.process.send_signal(signal.SIGTERM)
try:
    print(p.process.wait(40))
except Exception:
    p.process.kill()
    print("it did not end")
E2
for tool in push_events pull_events; do
	rm -f seen
	is "ves mcp ends on SIGTERM while $tool waits" "$(python3 mcp.py "$HERE/test/lib" "$VES" $tool)" 0
done

point_to "$REAL"
check "the true sequencer gets the rest" "$VES" sync --db till.db
is "all synced" "$(store_is till.db 'd["counts"]["synced"]')" 2
check "an independent checker agrees" lib check_log "$SEQ" till.db --settled
done_testing
