#!/bin/bash
# 59-live.sh -- tills that hear of each other at once: ves sync --watch follows
# the sequencer, and goes on without when it cannot.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
# A pause so long that only news explains what is quick.
watch_store() { "$VES" sync --watch --interval 60000 --db "$1" > "$1.out" 2> "$1.err" & tap_pids+=($!); WATCH=$!; }
lives() { grep -q 'following the sequencer live' "$1.err"; }
# how STORE EXPRESSION: of how its news come, as any other process is told.
how() { "$VES" status --db "$1" --json | python3 -c "import json,sys; d=json.load(sys.stdin)['delivery']; print($2)"; }
comes() { [ "$(how "$1" "d['mode']")" = "$2" ]; }
has_order() { "$VES" entity --db "$1" order "$2" > /dev/null 2>&1; }
order() { "$VES" append --db "$1" --payload '{"currency":"EUR"}' order.created "$2" > /dev/null; }

new_hub && join a.db && join b.db || exit 1
is "nobody follows yet" "$(how a.db "d['mode'], d['since'], d['why'], d['toldUpTo'], d['toldAt']")" "none None None 0 None"
watch_store a.db
A=$WATCH
watch_store b.db
B=$WATCH
check "one till follows" wait_for 60 lives a.db
check "the other, too" wait_for 60 lives b.db
order a.db O-1
check "what one writes is with the other, pushed and pulled by those who watch" wait_for 60 has_order b.db O-1
order b.db O-2
check "and back" wait_for 60 has_order a.db O-2
check "status says that news are told at once" wait_for 60 comes b.db stream
told_up_to() { [ "$(how b.db "d['toldUpTo'] >= 4 and d['toldAt'] >= d['since'] and d['why'] is None")" = True ]; }
check "since when, and of what the last one was" wait_for 60 told_up_to
like "in words, too" "$("$VES" status --db b.db)" 'delivery  told at once, since 2.*; last told of event [0-9]*, at 2'
is "the sequencer counts who follows" "$(curl -s -H "x-api-key: $(cat "$SEQ.admin-key")" "$URL/metrics" | grep '^sequencer_followers')" "sequencer_followers 2"

# Killed in the middle: what is written meanwhile waits, and nobody has to help.
LISTEN=${URL#http://}
{ kill -9 "$SERVER_PID" && wait "$SERVER_PID"; } 2> /dev/null
order a.db O-3
check "who loses the sequencer says so" wait_for 60 grep -q 'asking every 60000 ms (' b.db.err
check "so does status, with the reason" wait_for 60 comes b.db polling
check "that reason is in it" test -n "$(how b.db "d['why']")"
start_server "$SEQ" || exit 1
check "after its restart both follow again, and all comes through" wait_for 60 has_order b.db O-3
is "each of them once" "$("$VES" log --db b.db --json | python3 -c 'import json,sys; d=json.load(sys.stdin); print(sorted(e["event"]["aggregateId"] for e in d["events"] if e["event"]["type"] == "order.created"))')" "['O-1', 'O-2', 'O-3']"

kill -INT "$A"
wait "$A"
is "Ctrl-C is a clean end" $? 0
kill -TERM "$B"
wait "$B"
is "so is being told to stop" $? 0
is "nobody follows any more" "$(how a.db "d['mode'], d['since']")" "none None"
watch_store b.db
check "who watches again says so again" wait_for 60 comes b.db stream
{ kill -9 "$WATCH" && wait "$WATCH"; } 2> /dev/null
is "who was killed is not said to follow; what was told last stays" "$(how b.db "d['mode'], d['toldUpTo'] >= 4")" "none True"
echo '{"live":true,"since":"x"' > b.db.delivery
is "a note that makes no sense is none" "$(how b.db "d['mode'], d['toldUpTo']")" "none 0"

# A sequencer that knows no such path is asked as ever.
cat > old.py << 'PY'
import http.client, http.server, sys
class Old(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        to = http.client.HTTPConnection(sys.argv[1])
        path = self.path if "/events/stream" not in self.path else "/nowhere"
        to.request(self.command, path, body or None, dict(self.headers))
        answer = to.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        self.send_header("content-type", answer.getheader("content-type", "text/plain"))
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    do_POST = do_PUT = do_GET
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Old)
print("http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
PY
"$PYTHON" -E old.py "${URL#http://}" > old.url 2> old.err &
tap_pids+=($!)
wait_for 60 test -s old.url
REAL=$URL URL=$(cat old.url)
join c.db
URL=$REAL
"$VES" sync --watch --interval 100 --db c.db > c.db.out 2> c.db.err &
tap_pids+=($!)
check "who cannot follow says why" wait_for 60 grep -q 'asking every 100 ms (the sequencer has no stream of events here (HTTP 404))' c.db.err
order a.db O-4
"$VES" push --db a.db > /dev/null
check "and hears of it by asking" wait_for 60 has_order c.db O-4
done_testing
