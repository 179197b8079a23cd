#!/bin/bash
# 37-part.sh -- some events of the log with the proof of where they stand: pages
# by type and entity, checked with nothing but SHA-256.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub --log-host log.example || exit 1
KEY=$(cat "$SEQ.admin-key")
join till.db || exit 1
get() { curl -sS -H "x-api-key: $KEY" "$@"; }
code() { curl -sS -o out -w '%{http_code}' -H "x-api-key: $KEY" "$@"; }
page() { get "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$STORE&$1"; }
# numbers EXPRESSION -- of the whole log's events that match, with e the envelope
numbers() { json "$(page 'from=1&limit=1000')" "','.join(str(e['sequence_number']) for e in [i['envelope'] for i in d['events']] if $1)"; }
log_signed() { [ "$(json "$(page 'entity_type=inventory&limit=1')" 'int((d["checkpoint"] or "\n0").split("\n")[1]) == d["head_sequence"] > 0')" = true ]; }

is "before the first head there is nothing to prove" "$(json "$(get "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$(cat /proc/sys/kernel/random/uuid)&entity_type=order")" '(d["checkpoint"], d["covers"], d["has_more"])')" '[null, [], false]'
for i in 1 2 3 4 5 6 7 8 9; do
	adjust till.db "SKU-$((i % 4))" "$i"
	"$VES" append --db till.db order.created "A-$i" --payload '{"currency":"GBP","lines":[]}' > /dev/null
	"$VES" append --db till.db order.updated "A-$((i % 2 + 1))" --payload '{"note":"n"}' > /dev/null
done
"$VES" sync --db till.db > /dev/null
check "the log is signed" wait_for 60 log_signed

one() { lib check_part "$URL" "$KEY" "$TENANT" "$STORE" "$@" 2>&1; }
like "all orders, and covers of the rest, are the root that is signed" "$(one order)" "^events [0-9]+ pages [2-9] numbers $(numbers 'e["entity_type"] == "order"')$"
like "one order" "$(one order A-1)" "^events [0-9]+ pages 1 numbers $(numbers 'e["entity_id"] == "A-1"')$"
like "stock" "$(one inventory)" "numbers $(numbers 'e["entity_type"] == "inventory"')$"
like "one that there is not: covers alone" "$(one order A-99)" "^events 0 pages 1 numbers $"
is "an id without a type" "$(json "$(page 'entity_id=SKU-1')" '{e["envelope"]["entity_type"] for e in d["events"]} == {"inventory"}')" true
is "the receipts of a page are asked for as ever" "$(json "$(page 'entity_type=order&receipts=1')" 'all("receipt" in e for e in d["events"])')" true
head=$(json "$(page 'entity_type=order')" 'd["head_sequence"]')
is "the page behind the head is empty" "$(json "$(page "entity_type=order&from=$((head + 1))")" '(d["count"], d["covers"], d["consistency"], d["has_more"])')" '[0, [], [], false]'
is "further on there is none" "$(code "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$STORE&entity_type=order&from=$((head + 2))")" 400
is "an empty type is none" "$(code "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$STORE&entity_type=")" 400
is "nor one that is too long" "$(code "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$STORE&entity_id=$(printf 'x%.0s' $(seq 513))")" 400
is "without a key nothing" "$(curl -sS -o /dev/null -w '%{http_code}' "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$STORE&entity_type=order")" 401

# ves fetch: a store that has pulled nothing.
start_proxy mode || exit 1
echo honest > mode
URL=$PROXY
join reader.db || exit 1
head=$((head + 1)) # the key of the reader
check "its key is logged" wait_for 60 log_signed
fetch() { "$VES" fetch --db reader.db "$@"; }
doc=$(fetch --entity-type order --json)
is "fetch: all orders" "$(json "$doc" '",".join(str(e["sequenceNumber"]) for e in d["events"])')" "$(numbers 'e["entity_type"] == "order"')"
is "with receipts" "$(json "$doc" 'd["receipts"] == d["count"] > 10')" true
like "and what is not proven is said" "$(fetch --entity-type order --entity-id A-1)" "^NOT PROVEN  that the sequencer left no such event out"
like "none" "$(fetch --entity-type nothing)" "shows no such event in a signed log of $head entries"
check "as a bundle" fetch --entity-type order --entity-id A-1 --out a1.ves-bundle
fetch --entity-type order --entity-id A-1 --out again.ves-bundle > log
{ grep '^log ' log; echo "quorum none"; } > policy
exits "which verifies with the log's key alone" 0 "$VES" verify --policy policy a1.ves-bundle
exits "a bundle that is there is left alone" 1 fetch --entity-type order --out a1.ves-bundle
exits "no bundle of nothing" 1 fetch --entity-type nothing --out none.ves-bundle
check "nor a file" test ! -e none.ves-bundle
exits "everything is what pull is for" 2 fetch
exits "a policy's name is plain text" 1 fetch --entity-type order --out name.ves-bundle --policy-name "$(printf 'a\nkeys x')"
exits "for prove, too" 1 "$VES" prove 1 --db till.db --out name.ves-bundle --policy-name "$(printf 'a\nkeys x')"
exits "an empty type is none" 1 fetch --entity-type ""
is "nothing is in the store" "$(json "$("$VES" status --db reader.db --json)" '(d["sequence"]["lastPulled"], d["counts"]["pending"], d["health"])')" '[0, 0, "healthy"]'

# a_lie MODE EXIT WORDS -- nothing of it is shown or written.
a_lie()
{
	local got bad=
	echo "$1" > mode
	fetch --entity-type order --json --out lie.ves-bundle > out 2> err
	got=$?
	echo honest > mode
	[ "$got" -eq "$2" ] || bad="exit $got"
	[ ! -s out ] || bad="$bad; it showed something"
	[ ! -e lie.ves-bundle ] || bad="$bad; it wrote a bundle"
	grep -qE -- "$3" err || bad="$bad; words: $(cat err)"
	alerts=$(json "$("$VES" quarantine --db reader.db --json)" 'sum(a["code"] == "part_invalid" for a in d["alerts"] if not a.get("closedAt"))')
	case $2 in 5) [ "$alerts" -gt "$known" ] || bad="$bad; no alert" ;; *) [ "$alerts" -eq "$known" ] || bad="$bad; an alert" ;; esac
	known=$alerts
	is "fetch: $1" "$bad" ""
}
known=0
a_lie corrupt 5 "payload"
a_lie rewrite 5 "receipt"
a_lie resign 5 "signature of a receipt does not verify"
a_lie strip-base 5 "receipt|covers"
a_lie swap-numbers 5 "receipt|ascend"
a_lie swap-receipts 5 "receipt is not one for its event"
a_lie other-key 5 "signature of a receipt does not verify"
a_lie reorder 5 "do not ascend"
a_lie drop 5 "another number of covers|root"
a_lie part-flip 5 "do not add up to the root"
a_lie part-more 5 "another number of covers"
a_lie part-less 5 "another number of covers"
a_lie part-further 5 "beyond its signed checkpoint|another number of covers|root"
a_lie part-root 5 "signature on its checkpoint does not verify"
a_lie part-size 5 "signature on its checkpoint does not verify"
a_lie part-key 5 "not signed by a key this store knows"
a_lie part-unsigned 1 "no head of the log is signed yet"
a_lie forge-keys 5 "."
a_lie garbage 1 "not a page of events"
a_lie html 1 "not a page of events"
a_lie gone-for-reads 4 "."
is "the store is as it was, but for the alerts" "$(json "$("$VES" status --db reader.db --json)" '(d["sequence"]["lastPulled"], d["counts"]["pending"])')" '[0, 0]'
check "and can pull" "$VES" pull --db reader.db

# It has verified a head now: what is fetched must be that log, and more.
check "a store that knows a head fetches" fetch --entity-type order --entity-id A-1
known=$(json "$("$VES" quarantine --db reader.db --json)" 'sum(a["code"] == "part_invalid" for a in d["alerts"] if not a.get("closedAt"))')
is "the head that it pulled is one it knows" "$(json "$("$VES" status --db reader.db --json)" 'd["finality"]["logged"]')" "$head"
a_lie log-path 5 "two histories, or a bad proof"
# From a head that is larger than the one it knows there is a proof to change.
adjust till.db SKU-1 1
"$VES" push --db till.db > /dev/null
head=$((head + 1))
check "the log goes on" wait_for 60 log_signed
check "which a store that knows less fetches" fetch --entity-type order --entity-id A-1
like "and sees" "$(fetch --entity-type nothing)" "in a signed log of $head entries"
a_lie log-path 5 "two histories, or a bad proof"
done_testing
