#!/bin/bash
# 53-prove.sh -- ves prove, and what it writes before ves verify: honest, and
# behind a sequencer that says something else than its log.
. "$(dirname "$0")/../lib/tap.sh"

new_hub --log-host shop.example || done_testing
join "$T/till.db" && join "$T/office.db" || { not_ok "two stores"; done_testing; }
for i in 1 2 3 4 5 6 7; do adjust "$T/till.db" "SKU-$i" "$i"; done
ids=$("$VES" outbox --db "$T/till.db" --json | grep -o '"eventId":"[0-9a-f-]*"' | cut -d '"' -f 4)
first=$(sed -n 1p <<< "$ids")
fifth=$(sed -n 5p <<< "$ids")
exits "an event that was not pushed" 1 "$VES" prove "$first" --db "$T/till.db" -o "$T/no.ves-bundle"
"$VES" sync --db "$T/till.db" > /dev/null
"$VES" sync --db "$T/office.db" > /dev/null

prove() { "$VES" prove "$@" > "$T/out" 2>&1; }
# The head is signed a moment after the commit.
check "by id and by number" wait_for 60 prove "$fifth" 4 "$first" "$first" --db "$T/till.db" -o "$T/x.ves-bundle"
like "what it is" "$(cat "$T/out")" '^.*x\.ves-bundle: 3 events in a log of 9 entries, with 1 about their keys, [0-9]+ bytes'
like "and the log's key" "$(cat "$T/out")" '^log shop\.example/ves/[0-9a-f]{64}\+[0-9a-f]{8}\+'
{ grep '^log ' "$T/out"; echo 'quorum none'; } > "$T/policy"
out=$("$VES" verify --policy "$T/policy" "$T/x.ves-bundle")
is "verified offline" $? 0
is "nothing but proven, where nobody asked for the owner" "$(grep -E '^(NOT PROVEN|FAILED)' <<< "$out" | cut -d : -f 1)" "NOT PROVEN  keys in the log"
like "all signatures" "$out" '^PROVEN +agent signatures: 4 of 4'
owner=$(sed -n 's/^owner //p' "$T/out")
is "the owner's key is told" "$owner" "$(sed -n 's/^public //p' "$SEQ.admin-key.owner-$TENANT-$STORE")"
out=$("$VES" verify --policy "$T/policy" --owner-key "$owner" "$T/x.ves-bundle")
is "with it keys are proven from the log" "$? $(grep -cE '^(NOT PROVEN|FAILED)' <<< "$out")" "0 0"
like "by the key event that is in it" "$out" '^PROVEN +keys in the log: 1 key events'
out=$("$VES" verify --policy "$T/policy" --owner-key "$(printf 'd%.0s' $(seq 64))" "$T/x.ves-bundle")
is "with another owner's they are false" "$? $(grep -c '^FAILED *keys in the log: .*owner_signature_invalid' <<< "$out")" "40 1"
exits "what is no key" 2 "$VES" verify --policy "$T/policy" --owner-key abc "$T/x.ves-bundle"
exits "the stream it is of" 0 "$VES" verify --policy "$T/policy" --stream "$TENANT/$STORE" "$T/x.ves-bundle"
exits "a file that is there is left alone" 1 "$VES" prove 1 --db "$T/till.db" -o "$T/x.ves-bundle"
check "what another store proves is the same" "$VES" prove 3 4 7 --db "$T/office.db" -o "$T/y.ves-bundle"
# Stores cosign the head meanwhile, and their lines come with it once merged.
proven() { grep -vE '^(keys |— shop\.example/agent/)' "$1"; }
like "with the log's own signature" "$(proven "$T/y.ves-bundle")" '^— shop\.example/ves/'
is "byte by byte, but for the directory and the cosigners" "$(proven "$T/y.ves-bundle" | sha256sum)" "$(proven "$T/x.ves-bundle" | sha256sum)"
sed 's/"delta":5/"delta":6/' "$T/x.ves-bundle" > "$T/z.ves-bundle"
exits "one digit of a payload" 40 "$VES" verify --policy "$T/policy" "$T/z.ves-bundle"
doc=$("$VES" prove 3 --db "$T/till.db" -o "$T/three.ves-bundle" --json)
is "as JSON" "$(json "$doc" 'd["events"], d["treeSize"]')" '[1, 9]'
exits "a number that is not there" 1 "$VES" prove 99 --db "$T/till.db" -o "$T/no.ves-bundle"
exits "no file named" 2 "$VES" prove 1 --db "$T/till.db"
check "nothing else was written" test ! -e "$T/no.ves-bundle"

# The whole log as an auditor has it: the sequencer's file, its stores and a
# signed checkpoint agree.
sed '1,/^$/d' "$T/x.ves-bundle" > "$T/checkpoint"
for store in till.db office.db hub.db; do
	exits "the audit of $store knows the signed head" 0 "$VES" audit --work "$T" --known "$T/checkpoint" "$T/$store"
done

# The sequencer itself: its log as published, and its stream pulled whole.
key=$(json "$("$VES" keys --db "$T/till.db" --json)" 'd["sequencer"]["keys"][0]["publicKey"]')
remote=(--work "$T" --sequencer "$URL" --stream "$TENANT/$STORE" --credential-file "$T/till.db.credential")
out=$("$VES" audit "${remote[@]}" --sequencer-key "$key" --policy "$T/policy")
is "the sequencer's log and stream are sound" $? 0
like "with its tree" "$out" '^PROVEN +tree: '
like "and its verdicts" "$out" '^PROVEN +verdicts: 9: '
like "a person sees how far it is" "$(lib on_terminal "$VES" audit "${remote[@]}" --sequencer-key "$key" | tr '\r' '\n')" '^entries +\[#{30}\] 9 of 9'
exits "with the sequencer's key alone" 0 "$VES" audit "${remote[@]}" --sequencer-key "$key"
like "agents' keys are then the directory's word" "$("$VES" audit "${remote[@]}" --sequencer-key "$key")" "^PROVEN +agent keys: .*by the directory's word"
owner=$("$VES" prove 1 --db "$T/till.db" -o "$T/owner.ves-bundle" | sed -n 's/^owner //p')
like "with the owner's they follow from the log" "$("$VES" audit "${remote[@]}" --sequencer-key "$key" --owner-key "$owner")" '^PROVEN +agent keys: .*as the log says'
exits "another owner's key" 40 "$VES" audit "${remote[@]}" --sequencer-key "$key" --owner-key "0x$(printf 'b%.0s' $(seq 64))"
exits "another key than its own" 40 "$VES" audit "${remote[@]}" --sequencer-key "0x$(printf 'a%.0s' $(seq 64))"
exits "no key" 2 "$VES" audit "${remote[@]}"
exits "nobody there" 4 "$VES" audit --work "$T" --sequencer http://127.0.0.1:1 --stream "$TENANT/$STORE" --credential-file "$T/till.db.credential" --sequencer-key "$key"
check "nothing is left behind" bash -c '! ls -d "$T"/ves-audit.* 2> /dev/null'

# What the sequencer publishes, kept in a folder, with the agents' keys.
mkdir -p "$T/kept-log/tile/entries/000.p" "$T/kept-log/tile/0/000.p"
about=$(curl -sS -H "Authorization: ApiKey $(cat "$SEQ.admin-key")" "$URL/api/v1/ves/log?tenant_id=$TENANT&store_id=$STORE")
prefix=$(json "$about" 'd["prefix"]')
n=$(json "$about" 'd["head"]["size"]' 2> /dev/null || sed -n 2p "$T/checkpoint")
for f in checkpoint "tile/entries/000.p/$n" "tile/0/000.p/$n"; do
	curl -sS -o "$T/kept-log/$f" -H "Authorization: ApiKey $(cat "$SEQ.admin-key")" "$URL$prefix/$f"
done
mapfile -t agents < <(json "$("$VES" keys --db "$T/till.db" --json)" '"\n".join("--agent-key\n%s/%d/%s" % k for k in [(a["agentId"], a["keyId"], a["publicKey"]) for a in d["agents"]] + [(d["sequencer"]["sequencerId"], k["version"], k["publicKey"]) for k in d["sequencer"]["keys"]])')
kept() { "$VES" audit --tiles "$T/kept-log" --policy "$T/policy" "$@"; }
exits "without agents' keys not everything is proven" 10 kept
exits "with them it is" 0 kept "${agents[@]}"
stranger="$TENANT/1/$(printf '58%.0s' $(seq 32))"
like "by keys of others" "$(kept --agent-key "$stranger")" '^NOT PROVEN +agent signatures: entry [0-9]+ is signed by no key'
like "by keys that were not valid then" "$(kept --agent-key "${agents[1]}/900-")" '^NOT PROVEN +agent signatures: no key that you gave may sign entry 1'

# Tiles in a folder, of a log that others can check, too.
cd "$HERE" || exit 1
mkdir -p "$T/log"
check "a log of 600 entries in files" "$BUILD/log-dir" "$T/log" 600 1 7
{ echo "log $(cat "$T/log/vkey")"; echo 'quorum none'; } > "$T/log-policy"
tiles() { "$VES" audit --tiles "$T/log" --policy "$T/log-policy" --json; }
out=$(tiles)
is "its tiles" "$? $(json "$out" 'd["findings"], d["streams"][0]["treeSize"]')" "10 [[], 600]"
exits "without anybody's key" 10 "$VES" audit --tiles "$T/log"
exits "another log's policy" 40 "$VES" audit --tiles "$T/log" --policy "$T/policy"
# spoil FILE OFFSET WANTED -- one byte of it, and back.
spoil()
{
	cp "$T/log/$1" "$T/kept"
	printf 'x' | dd of="$T/log/$1" bs=1 seek="$2" conv=notrunc 2> /dev/null
	out=$(tiles)
	is "a byte of $1" "$? $(json "$out" "any('$3' in f['text'] for f in d['findings'])")" "40 true"
	cp "$T/kept" "$T/log/$1"
}
spoil tile/entries/001 30 "not what the entries lead to"
spoil tile/entries/000 45 "names number"
spoil tile/0/001 100 "tile/0/001 is not what"
spoil tile/0/002.p/88 100 "tile/0/002.p/88 is not what"
spoil tile/1/000.p/2 40 "tile/1/000.p/2 is not what"
spoil checkpoint 35 ""
mv "$T/log/tile/entries/001" "$T/kept"
out=$(tiles)
is "a bundle that is missing" "$? $(json "$out" "any('missing' in f['text'] for f in d['findings'])")" "40 true"
# A key that was rotated, and one the owner revoked.
"$VES" keys rotate --db "$T/till.db" > /dev/null
adjust "$T/till.db" SKU-1 1
"$VES" sync --db "$T/till.db" > /dev/null
"$VES" admin revoke --server "$URL" --key-file "$SEQ.admin-key" --tenant "$TENANT" --store "$STORE" --agent "$(json "$("$VES" keys --db "$T/office.db" --json)" 'd["own"]["agentId"]')" > /dev/null
"$VES" sync --db "$T/till.db" > /dev/null
check "an event under a key that took another's place" wait_for 60 prove 11 --db "$T/till.db" -o "$T/rotated.ves-bundle"
out=$("$VES" verify --policy "$T/policy" --owner-key "$owner" "$T/rotated.ves-bundle")
like "its key goes back to the owner's word" "$out" '^PROVEN +keys in the log: 2 key events'
is "and all is proven" "$(grep -cE '^(NOT PROVEN|FAILED)' <<< "$out")" 0
grep -v '^keys ' "$T/rotated.ves-bundle" > "$T/bare.ves-bundle"
exits "without any directory, too" 0 "$VES" verify --policy "$T/policy" --owner-key "$owner" "$T/bare.ves-bundle"

done_testing
