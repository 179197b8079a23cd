#!/bin/bash
# 58-vouch.sh -- syncing is witnessing: stores cosign what they pulled, and a
# policy says when that is enough.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
fetch() { curl -s --noproxy '*' -H "x-api-key: $(cat "$SEQ.admin-key")" "$URL$1"; }
metric() { fetch /metrics | sed -n "s/^$1 //p"; }
at_least() { [ "$(metric "$1")" -ge "$2" ]; }
shown() { json "$("$VES" witnesses --db "$1" --json)" "$2"; }
signed() { [ "$(fetch "$PREFIX/checkpoint" | sed -n 2p)" = "$(fetch "/api/v1/ves/head?tenant_id=$TENANT&store_id=$STORE" | sed -E 's/.*"head_sequence":([0-9]+).*/\1/')" ]; }

new_hub --origin shop.example || { not_ok "a sequencer"; done_testing; }
join till.db
join office.db
adjust till.db A 5
check "the till syncs" "$VES" sync --db till.db
PREFIX=$(json "$(fetch "/api/v1/ves/log?tenant_id=$TENANT&store_id=$STORE")" 'd["prefix"]')
check "a head is signed" wait_for 60 signed
for store in till office; do check "$store pulls it" "$VES" sync --db $store.db; done
check "and says so with its next request" wait_for 60 at_least sequencer_cosignatures_total 1

# A policy from what the program prints.
like "lines of a policy: the log's" "$("$VES" witnesses --db till.db --lines)" '^log shop\.example/ves/[0-9a-f]{64}\+[0-9a-f]{8}\+A'
is "and one a store" "$("$VES" witnesses --db till.db --lines | grep -c '^witness ')" 2
{ "$VES" witnesses --db till.db --lines; echo "group both all $("$VES" witnesses --db till.db --lines | sed -n 's/^witness \([^ ]*\) .*/\1/p' | tr '\n' ' ')"; echo "quorum both"; } > policy
check "the till has a policy" "$VES" witnesses --db till.db --policy policy
sed 's/^quorum both/quorum nobody/' policy > broken
exits "a broken one is refused" 1 "$VES" witnesses --db till.db --policy broken
exits "one that is not there is refused" 1 "$VES" witnesses --db till.db --policy nowhere
: > empty
exits "and an empty one" 1 "$VES" witnesses --db till.db --policy empty
is "and changes nothing" "$(shown till.db 'd["hasPolicy"]')" true
exits "an audit takes an empty one for none no more" 2 "$VES" audit --policy empty till.db

adjust till.db A 1
check "a sale goes through before anybody vouches" "$VES" sync --db till.db
is "nothing is pending" "$(store_is till.db 'd["counts"]["pending"]')" 0
check "its head is signed" wait_for 60 signed
"$VES" sync --db till.db > /dev/null
LOGGED=$(shown till.db 'd["logged"]')
# round -- each store pulls and says so; a second time, so that all hear it.
round()
{
	local store
	for store in office till; do "$VES" sync --db $store.db > /dev/null; done
	[ "$(shown till.db 'd["witnessed"]')" -ge "$LOGGED" ]
}
check "both vouch for it in a few rounds" wait_for 60 round
like "nothing is called null" "$("$VES" witnesses --db till.db | grep -c null; "$VES" witnesses --db office.db)" '^0'
is "it is not stale" "$(shown till.db 'd["isStale"]')" false
like "people see it" "$("$VES" witnesses --db till.db)" '^witnessed  up to event [0-9]+, last said'

# Others count the same lines: in a bundle, and on what is published.
fetch "$PREFIX/witnessed" > head
is "the head has the log's line and the stores'" "$(grep -c '^— ' head)" 3
id=$(json "$("$VES" outbox --db till.db --json)" 'd["events"][0]["eventId"]')
"$VES" prove --db till.db "$id" -o sale.ves-bundle > /dev/null
exits "a bundle is proven under the policy" 0 "$VES" verify --policy policy sale.ves-bundle
openssl genpkey -algorithm ed25519 2> /dev/null | openssl pkey -pubout -outform DER | tail -c 32 > key
stranger=$(python3 -c 'import base64, hashlib; k = b"\4" + open("key", "rb").read(); print("x+%s+%s" % (hashlib.sha256(b"x\n" + k).hexdigest()[:8], base64.b64encode(k).decode()))')
{ grep -v '^quorum' policy; echo "witness x $stranger"; echo "group three all both x"; echo "quorum three"; } > three
exits "and valid but not enough where a third must vouch" 10 "$VES" verify --policy three sale.ves-bundle

# A newer head that nobody vouches for yet takes nothing from an older sale.
adjust till.db A 1
"$VES" push --db till.db > /dev/null
check "a newer head is signed" wait_for 60 signed
is "without cosigners" "$(fetch "$PREFIX/checkpoint" | grep -c '/agent/')" 0
"$VES" prove --db till.db "$id" -o older.ves-bundle > /dev/null
exits "the bundle has the head that the policy's witnesses cosigned" 0 "$VES" verify --policy policy older.ves-bundle
newest=$(json "$("$VES" outbox --db till.db --json)" 'd["events"][-1]["eventId"]')
"$VES" prove --db till.db "$newest" -o newest.ves-bundle > /dev/null
exits "and of the newest sale it is said that nobody vouches" 10 "$VES" verify --policy policy newest.ves-bundle
"$VES" sync --db till.db > /dev/null
LOGGED=$(shown till.db 'd["logged"]')
check "until both do" wait_for 60 round

(umask 077 && cp hub.db.admin-key credential)
audit() { "$VES" audit --sequencer "$URL" --stream "$TENANT/$STORE" --credential-file credential --sequencer-key "$(json "$("$VES" keys --db till.db --json)" 'd["sequencer"]["keys"][0]["publicKey"]')" --policy "$1"; }
exits "an audit of the sequencer is sound under the policy" 0 audit policy
exits "and not all proven where a third must vouch" 10 audit three

# Who does not want to, does not.
check "cosigning is switched off" "$VES" settings --db office.db cosign=false
adjust till.db A 1
"$VES" sync --db till.db > /dev/null
check "a newer head, again" wait_for 60 signed
for store in office till; do for _ in 1 2; do "$VES" sync --db $store.db > /dev/null; done; done
# What the office said would be there before what the till said after it.
vouched() { fetch "$PREFIX/checkpoint" | sed -n 's#^— .*/agent/\([^ ]*\) .*#\1#p'; }
TILL=$(json "$("$VES" keys --db till.db --json)" 'd["own"]["agentId"]')
till_vouched() { vouched | grep -qxF "$TILL"; }
check "the till says what it saw" wait_for 60 till_vouched
is "and nobody else does" "$(vouched)" "$TILL"
is "nothing was sent that was of no use" "$(metric sequencer_cosignatures_ignored_total)" 0
check "the till alone is not both" test "$(shown till.db 'd["witnessed"]')" -lt "$(shown till.db 'd["logged"]')"
check "no policy, nothing witnessed" "$VES" witnesses --db till.db --no-policy
is "nobody is asked for" "$(shown till.db '[d["hasPolicy"], d["witnessed"]]')" "[false, 0]"
done_testing
