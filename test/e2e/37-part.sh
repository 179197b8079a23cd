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
check "the log is signed" wait_for 10 log_signed

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
done_testing
