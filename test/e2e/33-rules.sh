#!/bin/bash
# 33-rules.sh -- event types of a shop's own: checked, published once, followed
# by every store that pulled them, by the sequencer, and by one that joins later.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
for s in a b; do join $s.db || not_ok "$s joins"; done
key=$SEQ.admin-key
rules() { "$VES" admin rules "$@"; }
# state DB ID -- of a repair, as the log has it
state() { json "$("$VES" entity --db "$1" repair "$2" --json)" 'd["state"]'; }

cat > one.json <<'R'
{"rules":1,
 "entities":[{"name":"repair","ladders":{"/status":["received","diagnosed","repaired"]},"lists":{"parts":"part_id"},
   "balances":{"open":["quoted","paid"]}}],
 "types":[
  {"name":"repair.received","version":1,"class":"fact","merge":"fields/1","operations":[{"op":"create","path":"@"},
    {"op":"fill","path":""},{"op":"advance","path":"/status","to":"received"}],
   "payload":[{"pointer":"/device","is":"text","need":"yes"},{"pointer":"/quoted","is":"quantity"}]},
  {"name":"repair.diagnosed","version":1,"class":"intent","base":"none","operations":[{"op":"advance","path":"/status","to":"diagnosed"}]},
  {"name":"repair.paid","version":1,"class":"fact","merge":"deltas/1","operations":[{"op":"delta","path":"/paid","from":"/amount"}],
   "payload":[{"pointer":"/amount","is":"amount","need":"yes"}]},
  {"name":"repair.assigned","version":1,"class":"intent","operations":[{"op":"set","path":"/assignee","from":"/to"}]}]}
R
sed 's/"to":"received"/"to":"lost"/' one.json > bad.json
sed 's/"class":"intent","base":"none"/"class":"fact"/' one.json > changed.json

# ---- the file
like "a good file is good" "$(rules check one.json)" '^good; 4 new types'
sed -n '/^## The file/,/^At most/s/^    //p' "$HERE/doc/rules.md" > doc.json
like "the file of doc/rules.md is good" "$(rules check doc.json)" '^good; 2 new types'
exits "a bad one is not (exit 1)" 1 rules check bad.json
like "and it is said where" "$(rules check bad.json 2>&1)" 'rules /types/0/operations/2/to: expected a word of the ladder'
exits "a file that is not there (exit 1)" 1 rules check nothing.json
exits "a file is needed (exit 2)" 2 rules check
exits "an act is needed (exit 2)" 2 rules

# ---- publishing
"$VES" append --db a.db repair.received R-0 --payload '{"anything":1}' > /dev/null
like "before, anybody may write anything" "$("$VES" entity --db a.db repair R-0 --json 2>&1)" '"version":'
exits "who is not the owner cannot publish (exit 1)" 1 rules apply one.json --db a.db --key-file "$T/other"
like "and is told whose key is missing" "$(rules apply one.json --db a.db --key-file "$T/other" 2>&1)" "owner-$TENANT-$STORE is not there"
cp "$key" stranger
"$VES" admin invite --server "$URL" --key-file stranger > /dev/null
cp stranger.owner-* "stranger.owner-$TENANT-$STORE"
exits "the owner of another stream neither (exit 1)" 1 rules apply one.json --db a.db --key-file stranger
is "nothing was appended" "$(store_is a.db 'd["counts"]["pending"]')" 1
check "the owner publishes" rules apply one.json --db a.db --key-file "$key"
like "not in force before it is in the log" "$(rules show --db a.db)" 'no rules'
check "synced" "$VES" sync --db a.db
like "in force here" "$(rules show --db a.db)" 'repair.paid/1  fact, base none, merge deltas/1'
is "as JSON" "$(json "$(rules show --db a.db --json)" 'd["types"]')" 4
like "again is nothing new" "$(rules apply one.json --db a.db --key-file "$key")" 'nothing new'
exits "a version never changes (exit 1)" 1 rules apply changed.json --db a.db --key-file "$key"
like "and it is said what to do" "$(rules apply changed.json --db a.db --key-file "$key" 2>&1)" 'publish the next version'

# ---- following
like "another store does not know yet" "$(rules show --db b.db)" 'no rules'
check "it pulls" "$VES" sync --db b.db
exits "a payload is checked there now (exit 1)" 1 "$VES" append --db b.db repair.received R-1 --payload '{"device":7}'
like "with the path of the bad field" "$("$VES" append --db b.db repair.received R-1 --payload '{"device":7}' 2>&1)" 'payload /device: expected a text'
check "a good one is taken, as one that has rules" "$VES" append --db b.db repair.received R-1 --payload '{"device":"phone","quoted":"80"}' --strict
like "and is what a like one may have meant" "$("$VES" append --db b.db repair.recieved R-1 --payload '{}' --strict 2>&1)" "did you mean repair.received.*nothing was appended"
is "its state is there before it is sent" "$(json "$("$VES" entity --db b.db repair R-1 --json)" 'd["localState"]')" \
	'{"device": "phone", "open": 80, "quoted": "80", "status": "received"}'
check "synced" "$VES" sync --db b.db
check "and pulled" "$VES" sync --db a.db
is "the first store folds it the same" "$(state a.db R-1)" "$(state b.db R-1)"

# ---- two at once
"$VES" append --db a.db repair.paid R-1 --payload '{"amount":"30"}' > /dev/null
"$VES" append --db b.db repair.paid R-1 --payload '{"amount":"20.5"}' > /dev/null
"$VES" append --db b.db repair.diagnosed R-1 --payload '{}' > /dev/null
"$VES" append --db a.db repair.assigned R-1 --payload '{"to":"Ann"}' > /dev/null
"$VES" append --db b.db repair.assigned R-1 --payload '{"to":"Bob"}' > /dev/null
for s in a b a b; do "$VES" sync --db $s.db > /dev/null 2>&1; done
is "sums add up, words go up, the second wish is a conflict" "$(state a.db R-1)" \
	'{"assignee": "Ann", "device": "phone", "open": 29.5, "paid": 50.5, "quoted": "80", "status": "diagnosed"}'
is "the same there" "$(state b.db R-1)" "$(state a.db R-1)"
is "its author has the conflict" "$(store_is b.db 'd["counts"]["conflict"]')" 1
is "both have one state hash" "$(store_is a.db 'd["stateHash"]')" "$(store_is b.db 'd["stateHash"]')"

lost=$(json "$("$VES" conflicts --db b.db --json)" 'd["conflicts"][0]["eventId"]')
check "which is resolved like any other" "$VES" resolve "$lost" --db b.db --strategy accept_local
for s in b a; do "$VES" sync --db $s.db > /dev/null 2>&1; done
is "everywhere" "$(state a.db R-1)" \
	'{"assignee": "Bob", "device": "phone", "open": 29.5, "paid": 50.5, "quoted": "80", "status": "diagnosed"}'
is "and is no conflict any more" "$(json "$("$VES" conflicts --db a.db --json)" 'd["open"]')" 0

# ---- the next version
sed -e 's/"version":1/"version":2/' -e 's/"need":"yes"/"need":"no"/' one.json > two.json
check "a next version is published from the other store" rules apply two.json --db b.db --key-file "$key"
for s in b a; do "$VES" sync --db $s.db > /dev/null 2>&1; done
check "it is what is checked now" "$VES" append --db a.db repair.received R-2 --payload '{}'
like "and what events name" "$("$VES" outbox --db a.db --json)" 'repair.received'
"$VES" sync --db a.db > /dev/null 2>&1
stop_server
LISTEN=${URL#http://} start_server "$SEQ" || not_ok "the sequencer starts again"
"$VES" append --db a.db repair.assigned R-2 --payload '{"to":"Cid"}' > /dev/null
check "a sequencer that starts anew follows them" "$VES" sync --db a.db
check "a store joins" join c.db
check "and pulls all of it" "$VES" sync --db c.db
is "to the same state hash" "$(store_is c.db 'd["stateHash"]')" "$(store_is a.db 'd["stateHash"]')"
is "R-2 is assigned" "$(state c.db R-2)" '{"assignee": "Cid", "status": "received"}'
is "what came before the rules is carried" "$(json "$("$VES" entity --db c.db repair R-0 --json)" 'd.get("state")')" null
before=$(store_is c.db 'd["stateHash"]')
sqlite3 c.db "UPDATE ves_meta SET value = '0' WHERE name = 'fold.version'"
"$VES" sync --db c.db > /dev/null
is "a store of an older fold is folded again" "$(store_is c.db 'd["foldVersion"] > 0')" true
is "by the rules in its log, to the same" "$(store_is c.db 'd["stateHash"]')" "$before"
check "the doctor finds nothing wrong" "$VES" doctor --db c.db

# ---- what a policy left is looked at again by rules that came since, once
cat > gadget.json <<'R'
{"rules":1,"types":[{"name":"gadget.built","version":1,"class":"intent","base":"none","operations":[{"op":"create","path":"@"}]}]}
R
open_now() { json "$("$VES" conflicts --db b.db --json)" 'd["open"]'; }
looked() { sqlite3 b.db "SELECT group_concat(value) FROM ves_meta WHERE name = 'policy.settings'"; }
"$VES" settings --db b.db conflictStrategy.repair=accept_local > /dev/null
"$VES" append --db a.db repair.assigned R-3 --payload '{"to":"Ann"}' > /dev/null
"$VES" append --db b.db repair.assigned R-3 --payload '{"to":"Bob"}' > /dev/null
for s in a b b; do "$VES" sync --db $s.db > /dev/null 2>&1; done
before=$(looked)
is "what its rule gives to people is left by the policy" "$(open_now) ${before:+remembered}" "1 remembered"
check "rules that come later" rules apply gadget.json --db a.db --key-file "$key"
for s in a b; do "$VES" sync --db $s.db > /dev/null 2>&1; done
after=$(looked)
check "make it look again" test "$after" != "$before"
"$VES" sync --db b.db > /dev/null 2>&1
is "once" "$(looked) $(open_now)" "$after 1"
done_testing
