#!/bin/bash
# slow-52-audit.sh -- ves audit: sound stores, and every kind of damage named.
. "$(dirname "$0")/../lib/tap.sh"

new_hub || done_testing
join "$T/till.db" && join "$T/office.db" || { not_ok "two stores"; done_testing; }
for i in 1 2 3; do adjust "$T/till.db" "SKU-$i" 5; done
"$VES" append --db "$T/till.db" order.created ORD-1 --payload '{"currency":"GBP","email":"a@example.org","note":""}' > /dev/null
"$VES" sync --db "$T/till.db" > /dev/null
"$VES" sync --db "$T/office.db" > /dev/null
# A conflict, and its resolution.
"$VES" append --db "$T/till.db" order.updated ORD-1 --payload '{"patch":{"email":"b@example.org"}}' > /dev/null
"$VES" append --db "$T/office.db" order.updated ORD-1 --payload '{"patch":{"email":"c@example.org"}}' > /dev/null
"$VES" sync --db "$T/till.db" > /dev/null
"$VES" sync --db "$T/office.db" > /dev/null
id=$("$VES" conflicts --db "$T/office.db" --json | sed 's/.*"eventId":"\([^"]*\)".*/\1/')
"$VES" resolve "$id" --db "$T/office.db" --strategy manual --set /email=c@example.org --reason asked > /dev/null
"$VES" sync --db "$T/office.db" > /dev/null
"$VES" sync --db "$T/till.db" > /dev/null
adjust "$T/office.db" SKU-4 5
# A store vouches for the newest head that it verified, with a request that comes
# later; the size has two figures, and the larger one that damage makes of it, too.
vouched() { "$VES" sync --db "$T/$1.db" > /dev/null && [ "$(sqlite3 "$T/$1.db" "SELECT value FROM ves_meta WHERE name = 'log.own-cosigned-size' UNION ALL SELECT max(logged) FROM ves_follow" | uniq)" = 10 ]; }
for store in office till; do check "the $store vouches for all it has" wait_for 60 vouched $store; done
adjust "$T/till.db" SKU-1 -1 # not yet pushed
commit() { curl -sf -H "x-api-key: $(cat "$SEQ.admin-key")" -H "content-type: application/json" "$URL/api/v1/ves/commitments" -d "{\"tenant_id\":\"$TENANT\",\"store_id\":\"$STORE\",\"sequence_start\":$1,\"sequence_end\":$2}"; }
check "events are committed" commit 1 3
check "and more of them" commit 4 5

# audit FILE [OPTIONS...] -- runs it; sets doc and code.
audit()
{
	doc=$("$VES" audit --json --work "$T" "$@" 2> "$T/err")
	code=$?
}
found() { json "$doc" "sorted({f['check'] for f in d['findings']})"; }

for store in till.db office.db hub.db; do
	before=$(sha256sum < "$T/$store")
	audit "$T/$store"
	is "$store is sound" "$code $(found)" "0 []"
	is "$store is only read" "$(sha256sum < "$T/$store")" "$before"
done
is "every check that a sequencer's file allows" "$(json "$doc" "[c['name'] for c in d['checks'] if c['finding'] != 'PROVEN']")" "[]"
roots=$(for store in till.db office.db hub.db; do audit "$T/$store"; json "$doc" "[d['streams'][0]['treeSize'], d['streams'][0]['rootHash']]"; done | sort -u | wc -l)
is "all have one tree" "$roots" 1
size=$(json "$doc" "d['streams'][0]['treeSize']") root=$(json "$doc" "d['streams'][0]['rootHash']")
exits "a head that is known" 0 "$VES" audit --work "$T" --head "$size:$root" "$T/till.db"
exits "a head that is another" 40 "$VES" audit --work "$T" --head "$size:0x$(printf '%064d' 0)" "$T/till.db"
out=$("$VES" audit --work "$T" --report "$T/report" --picture "$T/picture.svg" "$T/hub.db")
like "it speaks for people" "$out" '^PROVEN +verdicts: [0-9]+: judged again'
check "the report is the JSON" python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$T/report"
check "the picture is whole, and nothing in it lies over another" lib check_picture "$T/picture.svg" 'Audit of .*hub\.db' '^SOUND$' '0 findings, [0-9]+ signatures' "Stream $STORE.*$TENANT" 'the sequencer' '^committed$' '^events, a bar for each$'
check "nothing is left behind" bash -c '! ls -d "$T"/ves-audit.* 2> /dev/null'
exits "no such store" 1 "$VES" audit --work "$T" "$T/none.db"
exits "no store" 1 "$VES" audit --work "$T" "$T/report"

# damage NAME FILE SQL WANTED [WORDS] -- a copy with that change is wrong, in that
# check, and in these words.
damage()
{
	sqlite3 "$T/$2" "VACUUM INTO '$T/damaged.db'"
	sqlite3 "$T/damaged.db" "DROP TRIGGER IF EXISTS ves_events_no_delete; DROP TRIGGER IF EXISTS ves_outbox_no_delete; $3"
	audit "$T/damaged.db"
	rm -f "$T"/damaged.db*
	if [ $code -eq 40 ] && grep -qF "\"$4\"" <<< "$(found)" &&
		grep -qE "${5:-.}" <<< "$(json "$doc" '"\n".join(f["text"] for f in d["findings"])')"; then ok "$1: $4"; else
		not_ok "$1: exit $code, found $(found), wanted $4 ${5:-}"
		json "$doc" '"\n".join(f["text"] for f in d["findings"])' | sed 's/^/# /'
		sed 's/^/# /' "$T/err"
	fi
}
damage "one word of a payload" till.db "UPDATE ves_events SET envelope = replace(envelope, '\"delta\":5', '\"delta\":6') WHERE sequence_number = 3" events
damage "spelt in another way" till.db "UPDATE ves_events SET envelope = replace(envelope, '\"delta\":5', '\"delta\": 5') WHERE sequence_number = 3" events
damage "another hash in the row" hub.db "UPDATE ves_events SET event_hash = zeroblob(32) WHERE sequence_number = 2" events
damage "a signature" hub.db "UPDATE ves_events SET signature = zeroblob(64) WHERE sequence_number = 2" "agent signatures"
damage "a receipt" till.db "UPDATE ves_events SET receipt = zeroblob(64) WHERE sequence_number = 2" receipts
damage "a receipt is gone" hub.db "UPDATE ves_events SET receipt = NULL WHERE sequence_number = 2" receipts "has no receipt"
damage "an event is gone" hub.db "DELETE FROM ves_events WHERE sequence_number = 3" order
damage "the last event is gone" till.db "DELETE FROM ves_events WHERE sequence_number = (SELECT max(sequence_number) FROM ves_events)" state
damage "two events exchanged" till.db "UPDATE ves_events SET id = -id WHERE sequence_number = 1; UPDATE ves_events SET id = id - 1 WHERE sequence_number = 2; UPDATE ves_events SET id = -id + 1 WHERE id < 0" receipts
damage "a key revoked too late" hub.db "UPDATE ves_key_spans SET revoked_at_sequence = 2" "agent keys"
damage "a key's span is gone" hub.db "DELETE FROM ves_key_spans WHERE agent = (SELECT agent FROM ves_events WHERE sequence_number = 3)" "agent keys" "key 1 of agent [0-9a-f-]+ is valid is not in the file"
damage "a key's span is gone from a store" till.db "DELETE FROM ves_key_spans" "agent keys" "is valid is not in the file"
damage "a key is gone" hub.db "DELETE FROM ves_agent_keys" "agent keys"
damage "a verdict" till.db "UPDATE ves_events SET verdict = 'conflict' WHERE sequence_number = 1" verdicts
damage "a verdict at the sequencer" hub.db "UPDATE ves_events SET verdict = 'applied' WHERE verdict = 'conflict' OR verdict = 'superseded'" verdicts
damage "a conflict reopened" hub.db "UPDATE ves_conflicts SET closed = 0" conflicts
damage "a member of a conflict is gone" till.db "DELETE FROM ves_conflict_members" conflicts
damage "a state" till.db "UPDATE ves_entities SET state = replace(state, '5', '7') WHERE entity_id = 'SKU-2'" state
damage "a part of the state hash" till.db "UPDATE ves_state_buckets SET hash = zeroblob(32) WHERE NOT is_dirty" state "part [0-9]+ of the state hash"
damage "a part of the state hash is gone" till.db "DELETE FROM ves_state_buckets" state "part [0-9]+ of the state hash"
damage "a verdict of an own event" till.db "UPDATE ves_outbox SET verdict = 'conflict' WHERE local_seq = 1" verdicts "own event 1 is shown as synced \\(conflict\\)"
damage "own events that an entity forgot" till.db "UPDATE ves_entities SET own_events = 0, own_last = 0 WHERE own_events > 0" state "counts 0 own events"
damage "a bucket's list that comes back to itself" till.db "UPDATE ves_entities SET bucket_prev = id WHERE entity_id = 'SKU-2'" state "names another one before it"
damage "a bucket's list that ends nowhere" hub.db "UPDATE ves_entity_buckets SET newest = -newest" state "the newest entity of bucket [0-9]+ is [0-9]+, and -[0-9]+"
damage "an entity that its bucket's list has" hub.db "DELETE FROM ves_entities WHERE entity_id = 'SKU-2'" state "the newest entity of bucket [0-9]+ is none"
damage "a number of a chain" hub.db "UPDATE ves_events SET agent_seq = 1 WHERE sequence_number = 4" "agent chains"
damage "a root that was committed" hub.db "UPDATE ves_commitments SET merkle_root = zeroblob(32) WHERE sequence_start = 4" commitments
damage "an event under a root that was committed" hub.db "UPDATE ves_events SET signature = zeroblob(64) WHERE sequence_number = 2" commitments
damage "a commitment is gone" hub.db "DELETE FROM ves_commitments WHERE sequence_start = 1" commitments
damage "a tile" hub.db "UPDATE ves_tiles SET hashes = zeroblob(length(hashes))" tree
damage "the tree's edge" hub.db "UPDATE ves_tlogs SET edge = zeroblob(length(edge))" tree
damage "its stream is not listed" hub.db "DELETE FROM ves_streams" file "events of streams that it does not list"
damage "a signed head forgotten" hub.db "UPDATE ves_tlogs SET signed_size = 0" tree
damage "a head that was signed, of other events" hub.db "UPDATE ves_events SET signature = zeroblob(64) WHERE sequence_number = 2" tree "the head that was signed is not that of these events"
damage "a signed head of more than there is" hub.db "DELETE FROM ves_events WHERE sequence_number = (SELECT max(sequence_number) FROM ves_events)" tree "the head that was signed is larger than there are events"
damage "another head in the row than was signed" hub.db "UPDATE ves_tlogs SET signed_root = zeroblob(32)" tree "another head than its row"
damage "a false line of the log's key beside the true one" hub.db "UPDATE ves_tlogs SET note = note || (SELECT substr(l, 1, length(l) - 20) || 'AAAAAAAAAA' || substr(l, -10) FROM (SELECT substr(note, instr(note, char(10, 10)) + 2) AS l))" tree "the head that was signed has a false line of version 1"
damage "a head that a store verified" till.db "UPDATE ves_kept_heads SET root = zeroblob(32)" tree "a head that was verified is not that of these events"
damage "the edge that a store keeps" till.db "UPDATE ves_follow SET edge = edge || zeroblob(1)" tree "the edge of the tree"
damage "an entity under another name" till.db "UPDATE ves_entities SET entity_id = 'SKU-9' WHERE entity_id = 'SKU-2'" state
damage "a count of own events" till.db "UPDATE ves_counts SET count = count + 1 WHERE status = 'synced'" outbox
damage "another own receipt than the log's" till.db "UPDATE ves_outbox SET receipt = zeroblob(64) WHERE local_seq = 1" receipts
damage "another own event than the log's" till.db "UPDATE ves_outbox SET envelope = replace(envelope, '\"delta\":5', '\"delta\":6') WHERE local_seq = 1" outbox
digit() { echo "envelope = substr(envelope, 1, instr(envelope, '$1') + 29) || CASE substr(envelope, instr(envelope, '$1') + 30, 1) WHEN 'a' THEN 'b' ELSE 'a' END || substr(envelope, instr(envelope, '$1') + 31)"; }
damage "another signature of an own event than the log's" till.db "UPDATE ves_outbox SET $(digit '"agent_signature":') WHERE local_seq = 1" outbox
damage "an own event not yet pushed" till.db "UPDATE ves_outbox SET envelope = replace(envelope, '\"delta\":-1', '\"delta\":-2') WHERE status = 'pending'" outbox
damage "synced without a receipt" till.db "UPDATE ves_outbox SET receipt = NULL WHERE status = 'synced' AND local_seq = 1" outbox

# Rows that no store can have bring the judge down, and not the audit.
damage "rows that cannot be" till.db "UPDATE ves_events SET entity_key = (SELECT entity_key FROM ves_events WHERE sequence_number = 1), agent_seq = 9" events
for store in till hub; do
	check "damage by chance: $store" lib damage_audit "$VES" "$T/$store.db" "$T" 1 4
	# All of them: make soak.
	check "columns of every table damaged in turn: $store" "$HERE/$BUILD/damage-each" "$T/$store.db" "$T" "${DAMAGE_EVERY:-8}" "${DAMAGE_FIRST:-3}"
done

# Killed, it goes on where it was; what was kept of other signatures is not
# used.
"$HERE/tools/generate-day" 1 60 > "$T/day.csv"
"$VES" import --db "$T/till.db" "$T/day.csv" --format online-retail > /dev/null 2>&1
"$VES" sync --db "$T/till.db" > /dev/null
stop_server # or a head is signed between two audits
sqlite3 "$T/hub.db" "VACUUM INTO '$T/damaged.db'"
sqlite3 "$T/damaged.db" "UPDATE ves_events SET note = 'x'"
exits "more is wrong than is listed" 40 "$VES" audit --work "$T" --report "$T/many" "$T/damaged.db"
"$VES" audit --work "$T" --picture "$T/wrong.svg" "$T/damaged.db" > /dev/null
check "the picture says so in words" lib check_picture "$T/wrong.svg" '^WRONG$' '^verdicts: 1,[0-9]{3} problems' '^verdicts: the store says' '^and 1,[0-9]{3} more$'
rm -f "$T"/damaged.db*
is "the first of it is, and all is counted" "$(python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(len(d["findings"]), d["findings"][0]["sequenceNumber"], d["findingsTotal"] == d["streams"][0]["events"])' "$T/many")" "1000 1 True"
audit "$T/hub.db" --resume "$T/resume"
is "whole" "$code $(json "$doc" 'd["resumedSignatures"]')" "0 0"
all=$(json "$doc" 'd["signatures"]')
check "what was kept is gone at the end" test ! -e "$T/resume"
# It does not live long: tried until it was met.
for _ in $(seq 100); do
	"$VES" audit "$T/hub.db" --work "$T" > "$T/out" 2>&1 &
	pid=$!
	tap_pids+=("$pid")
	until child=$(pgrep -P $pid) || ! kill -0 $pid 2> /dev/null; do :; done
	[ -z "$child" ] || kill -ABRT "$child" 2> /dev/null
	wait $pid
	code=$?
	[ $code -ne 40 ] || break
done
is "the process that judges dies: the audit does not" $code 40
like "and says so" "$(cat "$T/out")" '^FAILED +verdicts: 1 problem: judging the log again came to something that cannot be \(signal 6\)'
"$VES" audit "$T/hub.db" --work "$T" --resume "$T/resume" > /dev/null 2>&1 &
pid=$!
tap_pids+=("$pid")
until [ -s "$T/resume" ] || ! kill -0 $pid 2> /dev/null; do :; done
kill -9 $pid 2> /dev/null
wait $pid 2> /dev/null
rm -rf "$T"/ves-audit.*
if [ -s "$T/resume" ]; then
	cp "$T/resume" "$T/resume.other"
	kept=$(sed -n 's/^items //p' "$T/resume")
	audit "$T/hub.db" --resume "$T/resume"
	is "killed: the rest is verified" "$code $(json "$doc" 'd["resumedSignatures"], d["signatures"]')" "0 [$kept, $((all - kept))]"
	cp "$T/resume.other" "$T/resume"
	audit "$T/till.db" --resume "$T/resume"
	is "a store with the same signatures gains by it, too" "$code $(json "$doc" 'd["resumedSignatures"], d["signatures"] > 100')" "0 [$kept, true]"
else
	skip "killed: the rest is verified" "it was done before it could be killed"
fi
for spoilt in "" nonsense "ves-audit-resume@v1" $'ves-audit-resume@v1\nitems 5\n'"$(printf '%064d' 0)"; do
	printf '%s\n' "$spoilt" > "$T/resume"
	audit "$T/hub.db" --resume "$T/resume"
	is "not from ${spoilt%%$'\n'*}, ${#spoilt} characters" "$code $(json "$doc" 'd["resumedSignatures"], d["signatures"]')" "0 [0, $all]"
done
done_testing
