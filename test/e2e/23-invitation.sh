#!/bin/bash
# 23-invitation.sh -- one string, and what becomes of it: once, n times, too
# late, twice by the same, cut, altered, by the wrong owner, with its reply lost.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
hub=$URL
invite() { "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" $STREAM_ARGS "$@" | tail -n 1; }
api_keys() { sqlite3 "$SEQ" "SELECT count(*) FROM ves_api_keys WHERE rights & 4 = 0 AND revoked_ms = 0"; }

# ---- the string
invite > one
like "the last line is the invitation" "$(cat one)" '^ves1\.[A-Za-z0-9_-]+$'
owner=$(echo "$SEQ".admin-key.owner-*)
is "the owner's key is made beside the admin key" "$owner" "$SEQ.admin-key.owner-$TENANT-$STORE"
is "readable by its owner only" "$(stat -c %a "$owner")" 600
before=$(sha256sum < "$owner")
invite > two
is "a second invitation keeps the owner" "$(sha256sum < "$owner")" "$before"
# field NAME -- of the invitation in the file one
field() { python3 -c "
import sys; sys.path.insert(0, '$HERE/test/lib')
import vestest; print(vestest.invitation(open('one').read())['$1'])"; }
secret=$(field secret) seed=$(sed -n "s/^seed //p" "$owner")
is "the server's file holds neither the invitation's secret nor the owner's" \
	"$(python3 - "$SEQ" "$secret" "$seed" <<'P'
import glob, sys
found = []
for path in glob.glob(sys.argv[1] + "*"):
    if ".owner-" in path or path.endswith(("-key", ".key")):
        continue
    data = open(path, "rb").read()
    for secret in sys.argv[2:]:
        if bytes.fromhex(secret) in data or secret.encode() in data:
            found.append(path)
print(found)
P
)" "[]"

# ---- once
check "it is redeemed" "$VES" init --db till.db --invite @one
is "one API key was given" "$(api_keys)" 1
like "the server keeps both signatures with the key" "$(sqlite3 "$SEQ" "SELECT proof FROM ves_agent_keys")" '"invitationSignature":"[0-9a-f]{128}","agentSignature":"[0-9a-f]{128}"'
check "an independent reader verifies both, and the owner's" python3 - "$HERE/test/lib" "$SEQ" one <<'P'
import json, sys
sys.path.insert(0, sys.argv[1])
import vestest as v
i = v.invitation(open(sys.argv[3]).read())
row = v.open_store(sys.argv[2]).execute("SELECT * FROM ves_agent_keys").fetchone()
proof = json.loads(row["proof"])
ids = v.raw_uuid(i["tenant"]) + v.raw_uuid(i["store"]) + v.raw_uuid(i["invitationId"])
key = v.public_key(v.unhex(i["secret"]))
assert v.unhex(proof["invitationKey"]) == key
owner = v.sha256(b"VES_INVITATION_V1", ids, key, v.u32(i["rights"]), v.u64(i["expires"]))
assert v.verify(v.unhex(i["ownerKey"]), owner, v.unhex(i["ownerSignature"])), "owner"
redeem = v.sha256(b"VES_REDEEM_V3", ids, bytes(row["agent"]), v.u32(row["key_id"]), bytes(row["public_key"]), v.unhex(proof["nonce"]), v.unhex(proof["nextKeyDigest"]))
assert v.verify(key, redeem, v.unhex(proof["invitationSignature"])), "invitation"
assert v.verify(bytes(row["public_key"]), redeem, v.unhex(proof["agentSignature"])), "agent"
P
exits "a second store cannot use it (exit 5)" 5 "$VES" init --db thief.db --invite @one
like "and hears why" "$("$VES" init --db thief.db --invite @one 2>&1)" "used as often as it may be"
old_key=$(cat till.db.credential)
check "the same store may repeat it" "$VES" init --db till.db --invite @one
[ "$(cat till.db.credential)" != "$old_key" ] && ok "it gets another API key" || not_ok "it gets another API key"
is "the old one is taken back" "$(curl -s -o /dev/null -w '%{http_code}' -H "x-api-key: $old_key" "$URL/api/v1/ves/head?tenant_id=$TENANT&store_id=$STORE")" 401
is "there is still one" "$(api_keys)" 1
adjust till.db MUG 1
check "and it works" "$VES" sync --db till.db

# ---- n times
invite --uses 2 > twice
for i in 1 2; do check "of two uses, number $i" "$VES" init --db two-$i.db --invite @twice; done
exits "not number 3" 5 "$VES" init --db two-3.db --invite @twice
invite --uses 0 > any
for i in 1 2 3; do "$VES" init --db any-$i.db --invite @any > /dev/null || not_ok "any number of uses, $i"; done
ok "as often as one likes"
check "on standard input" bash -c 'cat any | "$VES" init --db piped.db --invite -'
check "as an argument" "$VES" init --db argument.db --invite "$(cat any)"

# ---- too late
invite --valid 1 > short
sqlite3 "$SEQ" "UPDATE ves_invitations SET expires_ms = 1000 WHERE created_ms = (SELECT max(created_ms) FROM ves_invitations)"
exits "an expired invitation (exit 5)" 5 "$VES" init --db late.db --invite @short
like "says so" "$("$VES" init --db late.db --invite @short 2>&1)" "expired"

# ---- altered
# altered NAME PYTHON -- changes the document d inside the string
altered()
{
	python3 - "$HERE/test/lib" two "$2" > altered.txt <<'P'
import base64, sys
sys.path.insert(0, sys.argv[1])
import vestest as v
d = v.invitation(open(sys.argv[2]).read())
exec(sys.argv[3])
print("ves1." + base64.urlsafe_b64encode(v.jcs(d).encode()).decode().rstrip("="))
P
	rm -f altered.db*
	"$VES" init --db altered.db --invite @altered.txt > out 2>&1
	local code=$?
	if [ $code -ne 0 ] && [ ! -e altered.db ]; then ok "refused, and no store made: $1"; else not_ok "refused, and no store made: $1 (exit $code)"; cat out; fi
	if grep -q "$(sed 's/^ves1.//' altered.txt | head -c 100)" out; then not_ok "the string is not repeated: $1"; fi
}
altered "more rights" 'd["rights"] = 7'
altered "a longer life" 'd["expires"] += 1000'
altered "another store" 'd["store"] = "00000000-0000-4000-8000-000000000001"'
altered "another owner" 'd["ownerKey"] = v.public_key(b"x" * 32).hex()'
altered "another secret" 'd["secret"] = (b"y" * 32).hex()'
altered "a member nobody knows" 'd["x"] = 1'
altered "another version" 'd["v"] = 2'
altered "no sequencer key" 'd["sequencerKeys"] = []'
head -c 300 two > cut.txt
exits "refused: cut off" 1 "$VES" init --db altered.db --invite @cut.txt
exits "refused: not an invitation" 1 "$VES" init --db altered.db --invite hello
exits "refused: nothing" 1 "$VES" init --db altered.db --invite ""
# Another owner with a signature of its own: the string holds, the server knows better.
cp "$owner" owner.kept
mv "$owner" owner.away
exits "an invitation by another owner is refused by the server (exit 5)" 5 "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" $STREAM_ARGS
like "with the reason" "$("$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" $STREAM_ARGS 2>&1)" "another owner"
mv owner.kept "$owner"
# Another stream's store is left alone.
STREAM_ARGS="" "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" | tail -n 1 > elsewhere
exits "a store is not joined to a second stream" 1 "$VES" init --db till.db --invite @elsewhere
check "and goes on in its own" "$VES" sync --db till.db

# ---- the reply lost, the till killed
echo honest > mode
start_proxy mode || exit 1
URL=$PROXY
invite > lost
echo lost-redeem > mode
exits "the reply to redeeming is lost: exit 4" 4 "$VES" init --db lost.db --invite @lost
is "the server has registered the key" "$(sqlite3 "$SEQ" "SELECT uses FROM ves_invitations WHERE created_ms = (SELECT max(created_ms) FROM ves_invitations)")" 1
like "the store knows that it is not done" "$("$VES" sync --db lost.db 2>&1)" "(credential|invit)"
echo honest > mode
keys=$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_agent_keys")
check "the same command again completes it" "$VES" init --db lost.db --invite @lost
is "with the same key" "$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_agent_keys")" "$keys"
is "and nothing more used up" "$(sqlite3 "$SEQ" "SELECT uses FROM ves_invitations WHERE created_ms = (SELECT max(created_ms) FROM ves_invitations)")" 1
adjust lost.db MUG 1
check "and it works" "$VES" sync --db lost.db
invite > killed
echo slow-redeem > mode
"$VES" init --db killed.db --invite @killed > /dev/null 2>&1 & pid=$!
wait_for 60 test -e redeeming
kill -9 $pid
{ wait $pid; } 2> /dev/null
echo honest > mode
check "killed while it waited: the same command completes it" "$VES" init --db killed.db --invite @killed
adjust killed.db MUG 1
check "and it works too" "$VES" sync --db killed.db
URL=$hub

# ---- read-only
invite --read-only > looking
check "a read-only invitation" "$VES" init --db looker.db --invite @looking
check "may pull" "$VES" pull --db looker.db
is "and sees what others did" "$(on_hand looker.db MUG)" 3
adjust looker.db MUG 5
exits "may not push (exit 5)" 5 "$VES" push --db looker.db
like "hears why" "$("$VES" push --db looker.db 2>&1)" "lacks the right|may not write|[Pp]ermission"
is "the event is kept" "$(store_is looker.db 'd["counts"]["pending"]')" 1
is "nothing of it is in the log" "$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_events WHERE agent_seq > 0")" 3

# ---- no server
stop_server
"$VES" init --db nobody.db --invite @any > out 2>&1
is "without a sequencer nobody joins (exit 4)" $? 4
[ ! -e nobody.db ] && ok "and nothing is made" || not_ok "and nothing is made"
exits "a wrong admin key file" 1 "$VES" admin invite --server "$URL" --key-file nothing
LISTEN=${URL#http://} start_server "$SEQ"
echo ss_wrong00000000000000000000000000000000000000 > wrong.key
chmod 600 wrong.key
exits "a wrong admin key (exit 5)" 5 "$VES" admin invite --server "$URL" --key-file wrong.key
done_testing
