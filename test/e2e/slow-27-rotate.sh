#!/bin/bash
# slow-27-rotate.sh -- a store's key gives way to the next one: killed at every step,
# without a network, sealed, by a thief, of a store that committed to none.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
for s in till office; do join $s.db; done
key_id() { json "$("$VES" keys --db "$1" --json)" 'd["own"]["keyId"]'; }
rotate() { "$VES" keys rotate --db "$@"; }

is "joining makes two keys, for their owner only" "$(stat -c %a till.db.key till.db.key.next | sort -u)" 600
digest=$(python3 -c 'import hashlib, re; print(hashlib.sha256(b"VES_KEY_NEXT_V1" + bytes.fromhex(re.search("public ([0-9a-f]{64})", open("till.db.key.next").read()).group(1))).hexdigest())')
"$VES" sync --db till.db > /dev/null
like "and the log commits to the second" "$("$VES" log --db till.db --json | tr -d ' ')" "\"next_key_digest\":\"0x$digest\""

# ---- an ordinary one
adjust till.db MUG 10
"$VES" push --db till.db > /dev/null
adjust till.db MUG 1
next=$(sed -n 's/^public //p' till.db.key.next)
check "the key is rotated" rotate till.db
is "to that which was committed to" "$(sed -n 's/^public //p' till.db.key)" "$next"
is "another one is ready" "$(stat -c %a till.db.key.next)$(ls till.db.key.later 2> /dev/null)" 600
check "what waited goes out under the new key" "$VES" sync --db till.db
check "others follow from the log" "$VES" sync --db office.db
is "to the last event" "$(on_hand office.db MUG)" 11
like "keys shows both" "$("$VES" keys --db office.db)" "#2 .* entered by rotation at"

# ---- kill -9 before every operation that makes something true outside
${CC:-cc} -shared -fPIC -o kill_at.so "$HERE/test/lib/kill_at.c" 2> cc.err || { not_ok "kill_at.so: $(cat cc.err)"; done_testing; exit; }
n=0 bad= code=137
while [ $code -eq 137 ] && [ $n -lt 200 ]; do
	n=$((n + 1))
	{ LD_PRELOAD=$T/kill_at.so VES_KILL_AT=$n "$VES" keys rotate --db till.db > kill.out; } 2> kill.err
	code=$?
	"$VES" append --db till.db inventory.adjusted MUG --payload '{"delta":1}' > /dev/null || bad="$bad append $n;"
	"$VES" sync --db till.db > sync.out 2>&1 || bad="$bad sync $n: $(cat sync.out);"
done
is "killed at any of them, a store goes on with the old key or the new" "$bad" ""
[ $code -eq 0 ] && [ $n -gt 15 ] && ok "to the end of the list ($n operations)" || not_ok "to the end of the list ($n operations, exit $code): $(cat kill.err)"
"$VES" sync --db office.db > /dev/null
is "no event is lost, none twice" "$(on_hand office.db MUG)" $((11 + n))
is "all is synced" "$(store_is till.db '[d["counts"]["pending"], d["counts"]["failed"], d["health"]]')" '[0, 0, "healthy"]'
is "no key is left over" "$(ls till.db.key* | grep -v tmp-)" "$(printf "%s\n" till.db.key till.db.key.next)"
before=$(key_id till.db)
check "it rotates on" rotate till.db
is "by one" "$(key_id till.db)" $((before + 1))

# ---- another process that has the store open
check "who has the store open signs with the new key" sqlite3 till.db ".load $HERE/$BUILD/ves" \
	"SELECT ves_append('inventory.adjusted','MUG','{\"delta\":1}')" ".shell $VES keys rotate --db till.db" \
	"SELECT ves_append('inventory.adjusted','MUG','{\"delta\":1}')"
check "as does one that has only looked so far" sqlite3 till.db ".load $HERE/$BUILD/ves" \
	"SELECT ves_status()" ".shell $VES keys rotate --db till.db" \
	"SELECT ves_append('inventory.adjusted','MUG','{\"delta\":1}')"
check "and all goes out" "$VES" sync --db till.db

# ---- no network
stop_server
adjust till.db MUG 1
exits "without a network it waits (exit 4)" 4 rotate till.db
like "and says so" "$(rotate till.db 2>&1)" "rotation waits and goes out with the next push"
adjust till.db MUG 1
before=$(key_id till.db)
LISTEN=${URL#http://} start_server "$SEQ" || exit 1
check "the next sync takes it along" "$VES" sync --db till.db
is "it is done" "$(key_id till.db) $(store_is till.db '[d["counts"]["pending"], d["counts"]["failed"]]')" "$((before + 1)) [0, 0]"
"$VES" sync --db office.db > /dev/null
is "nothing is lost" "$(on_hand office.db MUG)" $((11 + n + 5))

# ---- a thief has the key, and not the next one
for f in till.db till.db.key till.db.credential; do cp $f thief.${f#till.}; done
cp office.db.key.next thief.db.key.next
exits "a thief cannot rotate it to a key of his own" 5 rotate thief.db
like "for the log holds what comes next" "$(rotate thief.db 2>&1)" "not_the_committed_next_key"
"$VES" append --db till.db inventory.adjusted MUG --payload '{"delta":1}' > /dev/null
check "its owner can" rotate till.db
"$VES" append --db thief.db inventory.adjusted MUG --payload '{"delta":100}' > /dev/null
"$VES" push --db thief.db > /dev/null 2>&1
"$VES" sync --db office.db > /dev/null
is "and what the thief signs is not taken" "$(on_hand office.db MUG)" $((11 + n + 5))
"$VES" sync --db till.db > /dev/null
"$VES" sync --db office.db > /dev/null
is "what the owner signed is" "$(on_hand office.db MUG)" $((11 + n + 6))

# ---- an answer that is lost, and one that says nothing
echo honest > mode
start_proxy mode || exit 1
direct=$URL URL=$PROXY
join far.db
adjust far.db MUG 1
"$VES" sync --db far.db > /dev/null
echo rotation-lost > mode
adjust far.db MUG 1
exits "the answer is lost" 4 rotate far.db
echo honest > mode
check "the sync after it goes on" "$VES" sync --db far.db
is "the key is the next" "$(key_id far.db) $(store_is far.db '[d["counts"]["pending"], d["counts"]["failed"]]')" "2 [0, 0]"
echo rotation-500 > mode
exits "a sequencer that cannot do it now" 1 rotate far.db
adjust far.db MUG 1
check "is no reason not to sell" "$VES" sync --db far.db
is "under the key there is" "$(key_id far.db) $(store_is far.db '[d["counts"]["pending"], d["counts"]["failed"]]')" "2 [0, 0]"
ended=
for said in 400 401 403 404 405 409 409-LOG_FROZEN 413 429; do
	echo rotation-$said > mode
	rotate far.db > /dev/null 2>&1 && ended="$ended $said succeeds;"
	[ "$(sqlite3 far.db "SELECT length(value) > 100 FROM ves_meta WHERE name = 'agent.rotation'")" = 1 ] || ended="$ended $said;"
done
is "an answer that does not refuse the rotation does not end it, whatever its status" "$ended" ""
is "and alarms nobody" "$(sqlite3 far.db "SELECT count(*) FROM ves_alerts WHERE code = 'key_rotation_refused'")" 0
echo rotation-404 > mode
adjust far.db MUG 1
check "behind one that waits for good is sold all the same" "$VES" push --db far.db
is "and sent" "$(store_is far.db '[d["counts"]["pending"], d["counts"]["failed"]]')" "[0, 0]"
mv far.db.key.next lost.next
adjust far.db MUG 1
check "whose key is lost meanwhile is not asked for again" "$VES" push --db far.db
is "the store goes on with the key it has, and says so" "$(key_id far.db) $(sqlite3 far.db "SELECT length(value) FROM ves_meta WHERE name = 'agent.rotation'") $(sqlite3 far.db "SELECT count(*) FROM ves_alerts WHERE code = 'key_rotation_refused' AND detail LIKE '%far.db.key.next is not there%'")" "2 0 1"
mv lost.next far.db.key.next
exits "found again, it can be asked for again" 1 rotate far.db
echo honest > mode
check "later it can" "$VES" sync --db far.db
is "and does" "$(key_id far.db)" 3
URL=$direct

# ---- restored, with the key files of before
"$VES" backup --db far.db old.db > /dev/null 2>&1
for f in key key.next credential; do cp far.db.$f old.db.$f; done
cp old.db new.db
check "a rotation that the copy knows nothing of" rotate far.db
for f in key key.next credential; do cp far.db.$f new.db.$f; done
check "a store that is restored beside its newer key goes on at once" "$VES" sync --db new.db
adjust old.db MUG 1
check "a restored store finds its key in the log" "$VES" sync --db old.db
is "among its files" "$(key_id old.db) $(cat old.db.key | sha256sum)" "$(key_id far.db) $(cat far.db.key | sha256sum)"

# ---- sealed
echo "correct horse battery staple" > passphrase
chmod 600 passphrase
"$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" $STREAM_ARGS | tail -n 1 > invitation
export VES_PASSPHRASE_FILE=passphrase
"$VES" init --db sealed.db --invite @invitation --seal > /dev/null
adjust sealed.db MUG 1
check "a sealed key rotates" rotate sealed.db
is "and all stay sealed" "$(grep -c '^sealed ' sealed.db.key sealed.db.key.next)" "$(printf '%s\n' sealed.db.key:1 sealed.db.key.next:1)"
check "what waited goes out" "$VES" sync --db sealed.db
unset VES_PASSPHRASE_FILE

# ---- a revocation that the sequencer only says it made
revoke() { "$VES" admin revoke --server "$PROXY" --key-file "$SEQ.admin-key" $STREAM_ARGS --agent "$(json "$("$VES" keys --db far.db --json)" 'd["own"]["agentId"]')" --key-id "$(key_id far.db)"; }
echo revoke-nothing > mode
revoke > out 2> err
is "an answer is not believed that the log does not bear out" "$? $(json "$(cat out)" 'd["confirmed"]')" "5 false"
like "and that is said" "$(cat err)" "NOT confirmed: the stream's log holds no event that ends key"
echo revoke-forged > mode
exits "nor a history with an event that nobody entered" 5 revoke
like "which the sequencer did not sign" "$(revoke 2>&1)" "the sequencer did not sign it"
echo honest > mode
revoke > out
is "the owner revokes a key" $? 0
is "and the log has it under a signed head" "$(json "$(cat out)" '[d["confirmed"], d["signedBy"], d["revokedAtSequence"] <= d["logSize"]]')" '[true, "owner", true]'

# ---- a store of before
rm office.db.key.next
exits "a key that committed to none stays" 1 rotate office.db
like "and it is said what to do" "$(rotate office.db 2>&1)" "committed to no next one.*new store with an invitation.*ves admin revoke"
check "it goes on" "$VES" sync --db office.db
stop_server
check "an audit of the sequencer's file finds nothing" bash -c '"$VES" audit --json '"$SEQ"' | grep -q "\"findings\":\[\]"'
check "an independent checker agrees" lib check_log "$SEQ" office.db till.db sealed.db old.db
done_testing
