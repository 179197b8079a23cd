#!/bin/bash
# 35-log.sh -- the provable log of a real sequencer: checkpoints, tiles, proofs
# over HTTP; a restored database and a store that knows more.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
mkdir data heads old

get() { curl -sS -H "Authorization: ApiKey $KEY" "$@"; }
code() { curl -sS -o out -w '%{http_code}' -H "Authorization: ApiKey $KEY" "$@"; }
head_size() { get "$LOG/checkpoint" | sed -n 2p; }
signed() { [ "$(head_size)" = "$1" ]; }

exits "a head file beside the database is refused" 1 timeout 60 "$VES" serve --db data/hub.db --listen 127.0.0.1:0 --head-file data/heads
SEQ=data/hub.db
start_server $SEQ --head-file heads/heads --log-host log.example || exit 1
KEY=$(cat $SEQ.admin-key)
LISTEN=${URL#http://}
tenant=$(cat /proc/sys/kernel/random/uuid) store=$(cat /proc/sys/kernel/random/uuid)
STREAM_ARGS="--tenant $tenant --store $store"
join till.db && join other.db || exit 1
# The keys of the two are the first events of the stream.
for i in 3 4 5; do adjust till.db SKU-1 "$i"; done
"$VES" push --db till.db > /dev/null
about=$(get "$URL/api/v1/ves/log?tenant_id=$tenant&store_id=$store")
LOG=$URL$(json "$about" 'd["prefix"]')
check "the head of five events is signed soon" wait_for 60 signed 5
like "its origin is the log's" "$(get "$LOG/checkpoint" | sed -n 1p)" "^log.example/ves/[0-9a-f]{64}$"
like "it is in the head file" "$(tail -n 1 heads/heads)" " 5 [0-9a-f]{64}$"
get "$LOG/checkpoint" > head5

is "a bundle holds five entries" "$(get "$LOG/tile/entries/000.p/5" | wc -c)" 745
is "a tile five hashes" "$(get "$LOG/tile/0/000.p/5" | wc -c)" 160
is "what the head does not imply is not there" "$(code "$LOG/tile/0/000.p/6")" 404
is "an address that is none is refused" "$(code "$LOG/tile/0/0")" 400
is "without a key nothing" "$(curl -sS -o /dev/null -w '%{http_code}' "$LOG/checkpoint")" 401
is "an unknown log is not there" "$(code "$URL/ves/$(printf '0%.0s' $(seq 64))/checkpoint")" 404
like "inclusion" "$(get "$LOG/inclusion/3")" '"index":2,"size":5,.*"path":\["[0-9a-f]{64}",'
page() { get "$URL/api/v1/ves/events?tenant_id=$tenant&store_id=$store&$1"; }
is "a page says of the log what it was asked for" "$(json "$(page 'from=1&limit=2&checkpoint=1')" '(d["checkpoint"].split("\n")[1], len(d["consistency"]))')" '["5", 2]'
is "and without proof when the head lies within it" "$(json "$(page 'from=1&checkpoint=1')" '(d["checkpoint"].split("\n")[1], d["consistency"])')" '["5", []]'
is "and nothing when not" "$(json "$(page 'from=1')" '"checkpoint" in d')" false
is "a stream of which there is nothing has no head" "$(json "$(get "$URL/api/v1/ves/events?tenant_id=$(cat /proc/sys/kernel/random/uuid)&store_id=$store&checkpoint=1")" 'd["checkpoint"]')" null
like "consistency" "$(get "$LOG/consistency?from=2")" '"from":2,.*"to":5,'
is "nothing beyond the head" "$(code "$LOG/consistency?from=2&to=6")" 400
get "$LOG/proof/3" > proof
is "a proof as a file" "$(head -n 1 proof)" "c2sp.org/tlog-proof@v1"
# Somebody else's arithmetic over what was served.
check "entries, tile, root and proof agree" python3 - "$LOG" "$KEY" << 'PY'
import base64, hashlib, json, sys, urllib.request
log, key = sys.argv[1:3]
def get(path):
    q = urllib.request.Request(log + path, headers={"x-api-key": key})
    return urllib.request.urlopen(q, timeout=20).read()
sha = lambda b: hashlib.sha256(b).digest()
def root(h):
    if len(h) == 1: return h[0]
    k = 1
    while 2 * k < len(h): k *= 2
    return sha(b"\1" + root(h[:k]) + root(h[k:]))
b, entries = get("/tile/entries/000.p/5"), []
while b:
    n = int.from_bytes(b[:2], "big"); entries.append(b[2:2 + n]); b = b[2 + n:]
leaves = [sha(b"\0" + e) for e in entries]
assert b"".join(leaves) == get("/tile/0/000.p/5")
assert base64.b64decode(get("/checkpoint").split(b"\n")[2]) == root(leaves)
p = json.loads(get("/inclusion/3"))
assert bytes.fromhex(p["root"]) == root(leaves) and bytes.fromhex(p["leafHash"]) == leaves[2]
assert [bytes.fromhex(x) for x in p["path"]] == [leaves[3], sha(b"\1" + leaves[0] + leaves[1]), leaves[4]]
PY

# A backup, three more events, and the backup comes back.
stop_server
cp data/hub.db* old/
start_server $SEQ --head-file heads/heads || exit 1
for i in 6 7 8; do adjust till.db SKU-1 "$i"; done
"$VES" push --db till.db > /dev/null
check "the head of eight events is signed" wait_for 60 signed 8
get "$LOG/checkpoint" > head8
get "$URL/api/v1/ves/events?tenant_id=$tenant&store_id=$store&receipts=1" > events8
sqlite3 other.db "VACUUM INTO 'none.db'"
"$VES" pull --db other.db > /dev/null
stop_server
cp heads/heads heads.8
mkdir newest && cp data/hub.db* newest/
rm -f data/hub.db data/hub.db-wal data/hub.db-shm && cp old/hub.db* data/
exits "the server does not start behind its head" 1 timeout 60 "$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads
like "and says what and what to do" "$("$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads 2>&1)" "behind a head it signed.* 5 events here and 8 .*ves admin recover"

# A store that pulled holds what is missing, and so does the one that sent it;
# one that did neither does not.
exits "a store that has nothing of it does not help" 1 "$VES" admin recover --db $SEQ --head-file heads/heads none.db
like "which is said" "$("$VES" admin recover --db $SEQ --head-file heads/heads none.db 2>&1)" "event 6 is in none of these stores .* of 8 signed events 3 are missing, and the log can be made up to 5, root $(sed -n 3p head5 | base64 -d | od -An -v -tx1 | tr -d ' \n')\\. Nothing was changed"
exits "and nothing was: it still does not start" 1 timeout 60 "$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads
exits "without the head file nothing asks for it" 3 "$VES" admin recover --db $SEQ other.db
like "but a store that has it shows an older copy" "$("$VES" admin recover --db $SEQ other.db)" "has 3 events .* Do not serve it"
like "the tail is rebuilt from the store that sent it and pulled nothing" "$("$VES" admin recover --db $SEQ --head-file heads/heads none.db till.db 2>&1)" "1 streams made whole, 3 events put back"
like "once" "$("$VES" admin recover --db $SEQ --head-file heads/heads other.db 2>&1)" "0 streams made whole, 0 events"
start_server $SEQ --head-file heads/heads && ok "it starts again" || not_ok "it starts again"
get "$URL/api/v1/ves/events?tenant_id=$tenant&store_id=$store&receipts=1" > events8.again
check "with the same events and receipts, byte for byte" cmp events8 events8.again
check "and signs the same head" cmp <(get "$LOG/checkpoint") head8
stop_server
rm -f data/hub.db data/hub.db-wal data/hub.db-shm && cp old/hub.db* data/
mv heads/heads heads/away
like "nor when it is not named" "$(timeout 60 "$VES" serve --db $SEQ --listen 127.0.0.1:0 2>&1)" "has a file for its signed heads.*--head-file"
like "nor without the file" "$("$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads 2>&1)" "is missing.*--new-head-file"
check "nothing was made of it" test ! -e heads/heads

# Nobody's file remembers, but a store does.
start_server $SEQ --head-file heads/heads --new-head-file || exit 1
knows() { code -H "x-ves-known-head: $(base64 -w0 < "$1")" "${@:2}"; }
is "a head that the log has changes nothing" "$(knows head5 "$LOG/checkpoint")" 200
sed '2s/8/9/' head8 > forged
is "a claim that nobody signed is refused" "$(knows forged "$LOG/checkpoint")" 400
is "what is no checkpoint, too" "$(code -H "x-ves-known-head: aGVsbG8=" "$LOG/checkpoint")" 400
is "and freezes nothing" "$(json "$(get "$URL/api/v1/ves/log?tenant_id=$tenant&store_id=$store")" 'd["frozen"]')" null
is "a head that was signed and is not in the log freezes it" "$(knows head8 "$LOG/checkpoint")" 409
like "with a code" "$(cat out)" '"code":"LOG_FROZEN"'
like "which is told" "$(get "$URL/api/v1/ves/log?tenant_id=$tenant&store_id=$store")" '"frozen":\{"at":.*"why":"a store holds a head of 8 entries'
adjust other.db SKU-2 1
"$VES" push --db other.db > push.out 2>&1
is "a frozen stream takes nothing" "$(json "$("$VES" status --db other.db --json)" 'd["counts"]["pending"]')" 1
is "and is read on" "$(head_size)" 5
stop_server
start_server $SEQ --head-file heads/heads || exit 1
"$VES" push --db other.db > push.out 2>&1
is "also after a restart" "$(json "$("$VES" status --db other.db --json)" 'd["counts"]["pending"]')" 1
stop_server
sqlite3 $SEQ "SELECT body FROM ves_alerts WHERE code = 'log_frozen'" > kept 2> /dev/null || python3 -c '
import sqlite3, sys; b = sqlite3.connect(sys.argv[1]).execute("SELECT body FROM ves_alerts WHERE code = '"'log_frozen'"'").fetchone()[0]
open("kept", "wb").write(b if isinstance(b, bytes) else b.encode())' $SEQ
check "the evidence is kept as it came" bash -c 'diff <(cat kept) <(cat head8) || diff <(head -c -1 kept) head8'

like "a frozen stream is thawed by what its evidence asks for" "$("$VES" admin recover --db $SEQ --head-file heads/heads other.db 2>&1)" "1 streams made whole, 3 events put back"
start_server $SEQ --head-file heads/heads || exit 1
"$VES" sync --db other.db > push.out 2>&1
check "and takes events again" wait_for 60 signed 9
is "that extend the head it had lost" "$(knows head8 "$LOG/checkpoint")" 200
stop_server

# The newest database, where it came back with its head file, needs nothing.
rm -f data/hub.db data/hub.db-wal data/hub.db-shm && cp newest/hub.db* data/ && cp heads.8 heads/heads
start_server $SEQ --head-file heads/heads && ok "the newest database starts" || not_ok "the newest database starts"
check "with its head" cmp <(get "$LOG/checkpoint" | head -n 5) <(head -n 5 head8)
done_testing
