#!/bin/bash
# 24-keys.sh -- keys: revoked, rotated, sealed, and kept to themselves.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
umask 022
new_hub --log-level 2 --log-format json || exit 1
for s in till office; do join $s.db; done
admin() { "$VES" admin "$@" --server "$URL" --key-file "$SEQ.admin-key"; }
agent_of() { json "$("$VES" keys --db "$1" --json)" 'd["own"]["agentId"]'; }

# ---- revoked
adjust till.db MUG 10
"$VES" sync --db till.db > /dev/null
before=$("$VES" append --db till.db inventory.adjusted MUG --payload '{"delta":-1}')
"$VES" push --db till.db > /dev/null
pending=$("$VES" append --db till.db inventory.adjusted MUG --payload '{"delta":-2}')
check "the operator revokes the till's key" admin revoke --tenant "$TENANT" --agent "$(agent_of till.db)"
exits "the push after that is done in part (exit 3)" 3 "$VES" push --db till.db
is "the pending event is failed" "$(json "$("$VES" show --db till.db "$pending" --json)" 'd["status"]')" failed
like "why says whose word it is" "$("$VES" why --db till.db "$pending")" "refused it, and signed the refusal:.*agent_key_invalid: Agent key has been revoked"
like "outbox says so" "$("$VES" outbox --db till.db --status failed)" "$pending.*has been revoked"
is "it does not count any more" "$(on_hand till.db MUG)" 9
check "what was sequenced before is acknowledged" "$VES" ack --db till.db "$before"
check "the office takes what came before" "$VES" sync --db office.db
is "all of it" "$(on_hand office.db MUG)" 9
check "the office knows since when" "$VES" pull --db office.db --since 1
like "the directory says since when, the number of the event that revoked it" "$(admin keys --tenant "$TENANT" --store "$STORE" --json)" '"validFromSequence":1,"revokedAtSequence":5,'
like "keys says whose word each is" "$("$VES" keys --db office.db)" "revoked at 5 by sequencer, entered by owner at 1"
check "the refusal can be listed, with its signature, and verifies" bash -c '
	"$VES" admin refusals --server '"$URL"' --key-file '"$SEQ"'.admin-key --tenant '"$TENANT"' --store '"$STORE"' > refusals.json
	PYTHONPATH='"$HERE/test/lib"' '"$PYTHON"' - <<P
import base64, json, vestest as v
d = json.load(open("refusals.json"))
r = d["refusals"][-1]
print(r)
element = base64.b64decode(next(r[k] for k in ("element", "body", "bytes", "elementBase64") if k in r))
reason = r["reason"]
assert json.loads(element)["event_id"] == "'"$pending"'"
h = v.refusal_hash("'"$TENANT"'", "'"$STORE"'", element, reason)
sig = bytes.fromhex(next(r[k] for k in ("refusalSignature", "signature") if k in r))
assert v.verify(list(v.sequencer_keys(v.open_store("'"$SEQ"'")).values())[-1], h, sig), "signature"
P'
exits "a retry changes nothing" 3 bash -c '"$VES" retry --db till.db > /dev/null; "$VES" push --db till.db'
exits "revoking a key that is not there" 5 admin revoke --tenant "$TENANT" --agent "$(agent_of till.db)" --key-id 7
check "an independent checker agrees" lib check_log "$SEQ" till.db office.db

check "a stolen store loses its API key, too" admin revoke --tenant "$TENANT" --agent "$(agent_of till.db)" --with-api-keys
exits "then it cannot even pull" 5 "$VES" pull --db till.db
check "others can" "$VES" pull --db office.db

# ---- what an agent may send
join part.db
part=$(agent_of part.db)
policy() { admin policy --tenant "$TENANT" --agent "$part" --json "$@"; }
exits "an agent has no policy at first (exit 5)" 5 policy
exits "a policy is said whole" 2 policy --allow-events '*'
is "only stock, and little of it" "$(json "$(policy --allow-events 'inventory.*,order.*' --allow-entities inventory --max-payload 900)" '[d["allowedEventTypes"], d["allowedEntityTypes"], d["maxPayloadBytes"], d["requireBaseVersion"]]')" '[["inventory.*", "order.*"], ["inventory"], 900, true]'
adjust part.db CUP 1
order=$("$VES" append --db part.db order.created ORD-9 --payload '{"total":1}')
"$VES" sync --db part.db > /dev/null 2>&1
is "the rest is refused, and kept with the reason" "$(json "$("$VES" show --db part.db "$order" --json)" 'd["status"]') $(store_is part.db 'd["counts"]["synced"]')" "failed 1"
like "as why says" "$("$VES" why --db part.db "$order")" "policy_violation: entity type not allowed"
policy --allow-events '*' --allow-entities '*' --off > /dev/null
"$VES" retry --db part.db > /dev/null
check "once it is allowed, it goes" "$VES" sync --db part.db
is "with the trail saying who let it" "$("$VES" admin trail --db "$SEQ" | grep -c "\"method\":\"PUT\",\"target\":\"/api/v1/agents/$part/policy\"")" 2

# ---- revoked by the stream's owner
join lost.db
adjust lost.db MUG 3
"$VES" sync --db lost.db > /dev/null
lost=$(agent_of lost.db)
revoke() { admin revoke --tenant "$TENANT" --store "$STORE" --agent "$lost" "$@"; }
mv "$SEQ.admin-key.owner-$TENANT-$STORE" away
exits "without the owner's key nobody says it is his word" 1 revoke
mv away "$SEQ.admin-key.owner-$TENANT-$STORE"
other=$("$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" | sed -n 's/.*--tenant \([^ ]*\) --store \(.*\)/\1-\2/p')
mv "$SEQ.admin-key.owner-$TENANT-$STORE" away
cp "$SEQ.admin-key.owner-$other" "$SEQ.admin-key.owner-$TENANT-$STORE"
exits "with another owner's it is refused" 5 revoke
like "and said why" "$(revoke 2>&1)" "owner_signature_invalid"
mv away "$SEQ.admin-key.owner-$TENANT-$STORE"
exits "a key that is not there" 5 revoke --key-id 7
check "the owner revokes a key" revoke
check "and says so again" revoke
adjust lost.db MUG 5
exits "what it signs then is refused" 3 "$VES" push --db lost.db
"$VES" sync --db office.db > /dev/null
is "what came before stays" "$(on_hand office.db MUG)" 12
like "keys says whose word it is" "$("$VES" keys --db office.db)" "$lost #1 .*revoked at [0-9]+ by owner, entered by owner at"
check "an independent reader verifies it" python3 - "$HERE/test/lib" "$SEQ" "$TENANT" "$STORE" "$lost" "$SEQ.admin-key.owner-$TENANT-$STORE" <<'P'
import json, re, sys
sys.path.insert(0, sys.argv[1])
import vestest as v
rows = v.open_store(sys.argv[2]).execute("SELECT envelope FROM ves_events ORDER BY sequence_number").fetchall()
events = [json.loads(r["envelope"] + "}") for r in rows]
said = [e["payload"] for e in events if e["event_type"] == "ves.key.revoked" and "statement" in e["payload"]]
assert len(said) == 1, said
h = v.sha256(b"VES_KEY_REVOKE_V1", v.raw_uuid(sys.argv[3]), v.raw_uuid(sys.argv[4]), v.raw_uuid(sys.argv[5]), v.u32(1))
owner = v.unhex(re.search("public ([0-9a-f]{64})", open(sys.argv[6]).read()).group(1))
assert v.verify(owner, h, v.unhex(said[0]["statement"]["owner_signature"]))
P

# ---- rotated
join second.db
adjust office.db MUG 1
"$VES" sync --db office.db > /dev/null
old=$(sha256sum < "$SEQ.key")
stop_server
LISTEN=${URL#http://} start_server "$SEQ" --rotate-key || exit 1
[ "$(sha256sum < "$SEQ.key")" != "$old" ] && ok "the key file has another key" || not_ok "the key file has another key"
is "readable by its owner only" "$(stat -c %a "$SEQ.key")" 600
adjust office.db MUG 1
check "a store that pushes first after it syncs" "$VES" sync --db office.db
is "the new receipt is of version 2" "$(sqlite3 office.db "SELECT max(receipt_key_version) FROM ves_outbox")" 2
check "a store that only pulls syncs" "$VES" sync --db second.db
is "both pinned version 2" "$(for s in office second; do json "$("$VES" keys --db $s.db --json)" '[k["version"] for k in d["sequencer"]["keys"]]'; done | sort -u)" "[1, 2]"
check "an independent reader verifies the statement" python3 - "$HERE/test/lib" "$SEQ" <<'P'
import json, sys
sys.path.insert(0, sys.argv[1])
import vestest as v
hub = v.open_store(sys.argv[2])
keys = json.loads(hub.execute("SELECT value FROM ves_meta WHERE name = 'sequencer.keys'").fetchone()[0])
old, new = keys
h = v.sha256(b"VES_SEQKEY_V1", v.unhex(old["publicKey"]), v.unhex(new["publicKey"]), v.u32(2))
assert v.verify(v.unhex(old["publicKey"]), h, v.unhex(new["statementSignature"]))
P
stop_server
LISTEN=${URL#http://} start_server "$SEQ" --rotate-key || exit 1
stop_server
LISTEN=${URL#http://} start_server "$SEQ" --rotate-key || exit 1
adjust second.db MUG 1
check "a store that missed two rotations fetches the keys and pushes" "$VES" push --db second.db
log=$(curl -sS -H "x-api-key: $(cat "$SEQ.admin-key")" "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$STORE&limit=1000&receipts=1")
is "its event is there once" "$(json "$("$VES" status --db second.db --json)" '[d["counts"]["pending"], d["counts"]["syncing"]]') $(json "$log" '[e["envelope"]["event_type"] for e in d["events"] if e["receipt"]["sequencerKeyVersion"] == 4]')" '[0, 1] ["ves.sequencer.key", "inventory.adjusted"]'
is "each version is an event of the log, signed by itself" "$(json "$log" '[(e["envelope"]["payload"]["version"], e["envelope"]["agent_key_id"], e["receipt"]["sequencerKeyVersion"]) for e in d["events"] if e["envelope"]["event_type"] == "ves.sequencer.key"]')" "[[2, 2, 2], [3, 3, 3], [4, 4, 4]]"
check "and syncs" "$VES" sync --db second.db
is "keys says where each version entered" "$(json "$("$VES" keys --db second.db --json)" '[[k["version"], k["enteredBy"], k["enteredAtSequence"] is not None] for k in d["sequencer"]["keys"]]')" '[[1, "pinned", false], [2, "sequencer", true], [3, "sequencer", true], [4, "sequencer", true]]'
like "for people, too" "$("$VES" keys --db second.db)" "v2 .* entered by the version before at [0-9]+$"
is "it pinned both" "$(json "$("$VES" keys --db second.db --json)" '[k["version"] for k in d["sequencer"]["keys"]]')" "[1, 2, 3, 4]"
check "the office follows" "$VES" sync --db office.db
for s in office second; do exits "$s: receipts of all versions verify" 0 "$VES" doctor --db $s.db; done
is "health" "$(store_is office.db 'd["health"]') $(store_is second.db 'd["health"]')" "healthy healthy"
join third.db
check "a new store verifies the whole log" "$VES" sync --db third.db
is "state hashes are equal" "$(for s in office second third; do "$VES" sync --db $s.db > /dev/null; store_is $s.db 'd["stateHash"]'; done | sort -u | wc -l)" 1
check "an independent checker agrees" lib check_log "$SEQ" office.db second.db third.db
stop_server
check "an audit of the sequencer's file finds nothing" bash -c '"$VES" audit --json '"$SEQ"' | grep -q "\"findings\":\[\]"'
sqlite3 office.db ".backup other.db"
key=$(json "$("$VES" keys --db office.db --json)" 'd["sequencer"]["keys"][1]["publicKey"].removeprefix("0x")')
sqlite3 other.db "UPDATE ves_meta SET value = replace(CAST(value AS TEXT), '$key', '$(printf '58%.0s' $(seq 32))') WHERE name = 'sequencer.keys'"
chmod 600 other.db*
like "one of a store that pinned another sees the log enter this one" "$("$VES" audit other.db)" "enters another version 2 of the sequencer's key"
cp "$SEQ.key" kept.key
cp till.db.key "$SEQ.key"
timeout 60 "$VES" serve --db "$SEQ" --listen 127.0.0.1:0 > out 2>&1
[ $? -eq 1 ] && ok "a sequencer does not start with somebody else's key" || not_ok "a sequencer does not start with somebody else's key: $(cat out)"
cp kept.key "$SEQ.key"
chmod 644 "$SEQ.key"
timeout 60 "$VES" serve --db "$SEQ" --listen 127.0.0.1:0 > out 2>&1
like "nor with one that others can read" "$(cat out)" "open to others.*chmod 600"
chmod 600 "$SEQ.key"

# ---- sealed
echo "correct horse battery staple" > passphrase
echo "wrong" > wrong
chmod 600 passphrase wrong
LISTEN=${URL#http://} start_server "$SEQ" --log-level 2 || exit 1
"$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" $STREAM_ARGS --uses 0 | tail -n 1 > invitation
VES_PASSPHRASE_FILE=passphrase check "a store with a sealed key" "$VES" init --db sealed.db --invite @invitation --seal
VES_PASSPHRASE_FILE=passphrase check "appends with the passphrase" "$VES" append --db sealed.db inventory.adjusted MUG --payload '{"delta":1}'
VES_PASSPHRASE_FILE=wrong exits "not with another" 1 "$VES" append --db sealed.db inventory.adjusted MUG --payload '{"delta":1}'
VES_PASSPHRASE_FILE=nothing exits "not without" 1 "$VES" append --db sealed.db inventory.adjusted MUG --payload '{"delta":1}'
VES_PASSPHRASE_FILE=nothing check "looking needs none" "$VES" status --db sealed.db
VES_PASSPHRASE_FILE=nothing check "pushing needs none" "$VES" push --db sealed.db

# ---- only the owner's word
strict() { admin keys --tenant "$TENANT" --store "$STORE" --strict "$@"; }
key=$(json "$("$VES" keys --db office.db --json)" 'd["own"]["publicKey"]')
# registered UUID -- what a registration over plain HTTP, without the owner's word, is answered.
registered() { curl -sS -o /dev/null -w '%{http_code}' -H "x-api-key: $(cat "$SEQ.admin-key")" -d '{"tenantId":"'"$TENANT"'","storeId":"'"$STORE"'","agentId":"'"$1"'","keyId":1,"publicKey":"'"$key"'"}' "$URL/api/v1/agents/keys"; }
is "the sequencer's word is enough" "$(registered 0190a0b0-0000-7000-8000-00000000d0d0)" 200
check "until the owner wants no other than his" strict on
is "then it is not" "$(registered 0190a0b0-0000-7000-8000-00000000d0d1)" 403
adjust office.db MUG 1
check "whom he invited goes on" "$VES" sync --db office.db
like "and knows" "$("$VES" keys --db office.db)" '^policy +only keys that the owner'
check "he invites others" join strict.db
check "and changes his mind" strict off
is "which is as it was" "$(registered 0190a0b0-0000-7000-8000-00000000d0d1)" 200
"$VES" sync --db office.db > /dev/null
is "everywhere" "$(json "$("$VES" keys --db office.db --json)" 'd["onlyOwnersWord"]')" false
exits "on or off" 2 strict maybe
mv "$SEQ.admin-key.owner-$TENANT-$STORE" away
exits "nobody says so without the owner's key" 1 strict on
like "which is named" "$(strict on 2>&1)" "owner key .*owner-$TENANT-$STORE is not there"
check "nor is one made" test ! -e "$SEQ.admin-key.owner-$TENANT-$STORE"
"$VES" init --db foreign.db --invite "$(admin invite --tenant "$TENANT" --store "$STORE" 2>&1 | tail -n 1)" > /dev/null 2>&1
check "another owner's key" test -e "$SEQ.admin-key.owner-$TENANT-$STORE"
exits "is refused" 5 strict on
mv away "$SEQ.admin-key.owner-$TENANT-$STORE"

# ---- kept to themselves
bad=
for f in *.db *.db-wal *.key *.credential *.admin-key *.owner-*; do
	[ -e "$f" ] || continue
	[ "$(stat -c %a "$f")" = 600 ] || bad="$bad $f is $(stat -c %a "$f");"
done
is "every file of ours is 0600, whatever the umask" "$(sed 's/ kept.key[^;]*;//; s/ wrong.key[^;]*;//' <<< "$bad")" ""
chmod 644 office.db.key
exits "a key that others can read is not used" 1 "$VES" append --db office.db inventory.adjusted MUG --payload '{"delta":1}'
exits "the doctor sees it" 1 "$VES" doctor --db office.db
chmod 600 office.db.key
synced() { [ "$(json "$("$VES" status --db "$1" --json)" 'd["counts"]["synced"]')" = "$2" ]; }
"$VES" sync --db office.db --watch --interval 50 > watch.out 2> watch.err & watch=$!
tap_pids+=($watch)
"$VES" init --db last.db --invite @invitation > init.out 2>&1
"$VES" init --db last.db --invite @invitation >> init.out 2>&1
cp last.db.credential good
echo "$(cat good)x" > last.db.credential
"$VES" sync --db last.db > refused.out 2>&1
is "a store whose API key is refused needs attention, though it has nothing to send" "$(json "$("$VES" status --db last.db --json)" '(d["health"], d["nextSteps"][0], sum("credential" in r for r in d["reasons"]))')" '["attention", "ves init --invite STRING", 1]'
"$VES" pull --db last.db >> refused.out 2>&1
cp good last.db.credential
is "a probe that is let in says no such thing" "$(json "$("$VES" status --db last.db --probe --json)" 'd["health"] != "attention"')" true
"$VES" pull --db last.db >> refused.out 2>&1
is "nor is it said once the key is taken again" "$(json "$("$VES" status --db last.db --json)" '(d["health"], d["reasons"])')" '["healthy", []]'
"$VES" append --db last.db inventory.adjusted MUG --payload '{"delta":1}' > /dev/null
echo "$(cat good)x" > last.db.credential
"$VES" push --db last.db >> refused.out 2>&1
is "so it is when it has something to send" "$(json "$("$VES" status --db last.db --json)" '(d["health"], len(d["reasons"]))')" '["attention", 1]'
"$VES" sync --db last.db --watch --interval 50 > last.out 2> last.err & last=$!
tap_pids+=($last)
wait_for 60 grep -q "does not accept" last.err
"$VES" init --db last.db --invite @invitation >> init.out 2>&1
check "a new invitation ends it, and a loop that ran all the while sends" wait_for 60 synced last.db 1
kill -INT $last
{ wait $last; } 2> /dev/null
cat last.err >> refused.out
is "nothing is said of it any more" "$(json "$("$VES" status --db last.db --json)" '(d["health"], d["reasons"])')" '["healthy", []]'
cp last.db.credential good
curl -s -H "x-api-key: $(cat good)" "$URL/api/v1/ves/head?tenant_id=$TENANT" > curl.out
curl -s -X POST -H "x-api-key: $(cat good)" -d '{"apiKey":"'"$(cat good)"'"}' "$URL/api/v1/invitations/redeem" >> curl.out
wait_for 60 grep -q "following the sequencer\|asking every" watch.err
cat /proc/$SERVER_PID/cmdline /proc/$watch/cmdline | tr '\0' '\n' > cmdlines
kill -INT $watch
{ wait $watch; } 2> /dev/null
is "no secret in logs, arguments, answers, errors or database files" "$(python3 - "$HERE/test/lib" "$SEQ" <<'P'
import glob, json, re, sys
sys.path.insert(0, sys.argv[1])
import vestest as v
secrets = {}
for path in glob.glob("*.credential") + glob.glob("*.admin-key") + ["passphrase"]:
    secrets[path] = open(path, "rb").read().strip()
for path in glob.glob("*.key") + glob.glob("*.owner-*"):
    for hexed in re.findall(r"^seed ([0-9a-f]{64})$", open(path).read(), re.M):
        secrets[path] = hexed.encode()
secrets["invitation"] = v.invitation(open("invitation").read())["secret"].encode()
if len([s for s in secrets if s.endswith(".key")]) < 4:
    print("only these secrets are known to look for:", sorted(secrets))
for path in [sys.argv[2] + ".log", "watch.out", "watch.err", "init.out", "refused.out", "curl.out", "cmdlines"] + \
        glob.glob("*.db") + glob.glob("*.db-wal"):
    data = open(path, "rb").read()
    for name, secret in secrets.items():
        raw = bytes.fromhex(secret.decode()) if re.fullmatch(rb"[0-9a-f]{64}", secret) else None
        if secret in data or (raw and raw in data):
            print("the secret of", name, "is in", path)
P
)" ""
like "requests are in the log, with ids" "$(cat "$SEQ.log")" '"requestId":"[0-9a-f-]{36}"'
audits office.db
done_testing
