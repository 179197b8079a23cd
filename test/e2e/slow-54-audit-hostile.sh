#!/bin/bash
# slow-54-audit-hostile.sh -- ves audit of a sequencer that lies, about bytes, order,
# proofs, heads, keys, receipts and after a restore: each for its reason.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1

new_hub --log-host shop.example || done_testing
join till.db && join office.db || { not_ok "two stores"; done_testing; }
other=$(cat /proc/sys/kernel/random/uuid)
for i in 1 2 3 4 5 6; do adjust till.db "SKU-$i" "$i"; done
"$VES" sync --db till.db > /dev/null
sqlite3 "$SEQ" "VACUUM INTO '$T/old.db'" # a backup, taken too early
adjust office.db MUG 1
"$VES" sync --db office.db > /dev/null
"$VES" sync --db till.db > /dev/null
"$VES" append --db till.db order.created ORD-1 --payload '{"currency":"GBP","amount_minor":450}' > /dev/null
"$VES" sync --db till.db > /dev/null
# Two keys and eight events: a head that the backup is behind.
prove() { "$VES" prove 10 --db till.db -o x.ves-bundle > out 2>&1; }
wait_for 60 prove
{ grep '^log ' out; echo 'quorum none'; } > policy
sed '1,/^$/d' x.ves-bundle > checkpoint
key=$(json "$("$VES" keys --db till.db --json)" 'd["sequencer"]["keys"][0]["publicKey"]')

echo honest > mode
start_proxy mode "$SEQ.admin-key" "$other" || done_testing

POLICY="--policy policy"
# audit [OPTIONS...] -- of what the proxy says; sets doc and code.
audit()
{
	doc=$("$VES" audit --json --work "$T" --sequencer "$PROXY" --stream "$TENANT/$STORE" \
		--credential-file till.db.credential --sequencer-key "$key" $POLICY "$@" 2> err)
	code=$?
}

audit
is "the truth" "$code" 0

# Heads that others keep are heads of this log: two stores' and a head file's.
{
	printf 'ves-heads 1 %s\n' "$other"
	sed -n '2p;3p' checkpoint | python3 -c 'import base64,hashlib,sys,uuid
size, root = sys.stdin.read().split()
stream = hashlib.sha256(b"VES_STREAM_V1" + uuid.UUID(sys.argv[1]).bytes + uuid.UUID(sys.argv[2]).bytes)
print(stream.hexdigest(), size, base64.b64decode(root).hex())' "$TENANT" "$STORE"
} > heads
"$VES" sync --db office.db > /dev/null
for known in "--known till.db --known office.db --known heads" "--known checkpoint"; do
	audit $known
	is "the truth, by $known" "$code" 0
done
cp till.db lied-to.db
sqlite3 lied-to.db "UPDATE ves_kept_heads SET root = zeroblob(32) WHERE size = (SELECT max(size) FROM ves_kept_heads)"
sed '2s/ [0-9]* / 4000 /' heads > longer
sed '2s/^..../0000/' heads > strangers
sed '2s/ [0-9]* / 07 /' heads > spoilt
for row in "lied-to.db:40:head that was verified by lied-to.db is not that" "longer:40:head file longer is larger than there are events" \
	"strangers:10:" "spoilt:1:" "policy:2:"; do
	IFS=: read -r known wanted words <<< "$row"
	audit --known "$known"
	is "known heads, $known: exit $wanted" "$code" "$wanted"
	[ -z "$words" ] || like "for this reason" "$doc" "$words"
done
sed "2s/[0-9a-f]*\$/$(printf '%064d' 0)/" heads > others
audit --known others
like "another root in a head file" "$code $doc" '^40 .*head in the head file others is not that'

# a_lie MODE PATTERN -- refused, with these words among its reasons.
a_lie()
{
	echo "$1" > mode
	audit
	echo honest > mode
	words=$([ $code -eq 40 ] && json "$doc" '"\n".join(f["text"] for f in d["findings"])' || cat err)
	if [ $code -eq 40 ] && grep -qE -- "$2" <<< "$words"; then ok "$1: $2"; else
		not_ok "$1: exit $code, wanted 40 and \"$2\""
		sed 's/^/# /' <<< "$words"
	fi
}
# bytes
a_lie corrupt 'does not verify'
a_lie rewrite 'does not verify'
a_lie strip-base 'does not verify'
a_lie log-entry 'entries do not lead to the root'
a_lie log-tile 'not what the entries lead to'
a_lie log-cut 'has not|not what'
a_lie log-malleable 'entries do not lead to the root'
a_lie log-unpadded 'checkpoint is none|canonical|base64'
a_lie log-base64 'checkpoint is none|canonical|base64'
a_lie log-cr 'checkpoint is none|base64|control'
a_lie log-leading-zero 'checkpoint is none|decimal'
a_lie log-plus 'checkpoint is none|decimal'
# order
a_lie log-twice 'names number 1'
a_lie log-drop 'has not|not what|names number'
a_lie log-insert 'has not|not what|names number'
a_lie log-reorder 'names number 2'
a_lie swap-numbers 'does not verify'
a_lie twice 'does not verify'
a_lie forge 'does not verify'
a_lie drop 'does not verify'
a_lie reorder 'does not verify'
a_lie empty 'does not verify|gives only'
a_lie lost 'does not verify|gives only'
# heads
a_lie log-size 'not signed by a log you believe'
a_lie log-root 'not signed by a log you believe'
a_lie log-unsigned 'checkpoint is none'
a_lie log-size-0 'not signed by a log you believe'
a_lie log-signature 'does not verify|not signed by a log you believe'
a_lie log-key-name 'not signed by a log you believe'
a_lie log-key-id 'not signed by a log you believe'
a_lie log-origin 'not signed by a log you believe'
a_lie log-stream 'not signed by a log you believe|another stream'
# ... and by the sequencer's own keys, where no policy says whom to believe
POLICY=
a_lie log-signature 'checkpoint that is published has a false line'
a_lie log-key-id 'checkpoint that is published is not signed'
a_lie log-stream 'checkpoint that is published is of another|another stream'
POLICY="--policy policy"
# keys and receipts
a_lie resign 'does not verify'
a_lie other-key 'does not verify'
a_lie swap-receipts 'does not verify'
a_lie forge-keys 'does not verify'
a_lie rotate 'does not verify'

# Restored from a backup: whoever knows a later head sees it.
cp old.db restored.db
exits "the backup by itself is sound" 0 "$VES" audit --work "$T" restored.db
out=$("$VES" audit --work "$T" --known checkpoint restored.db)
is "but not to who knows a later head" $? 40
like "for this reason" "$out" 'it was cut, or restored from a copy'
done_testing
