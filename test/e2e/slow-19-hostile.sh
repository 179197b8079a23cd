#!/bin/bash
# slow-19-hostile.sh -- a man in the middle who lies in every way we know: nothing
# false is applied or marked as sent, the evidence is kept, local work and
# pushing go on, and all is well again once the answers are true.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
hub=$URL
join till.db
join other-owner.db
other=$(cat /proc/sys/kernel/random/uuid)
STREAM_ARGS="--tenant $TENANT --store $other" join elsewhere.db
adjust elsewhere.db MUG 100
"$VES" sync --db elsewhere.db > /dev/null
echo honest > mode
start_proxy mode "$SEQ.admin-key" "$other" || exit 1
URL=$PROXY
join victim.db
adjust till.db MUG 1
"$VES" sync --db till.db > /dev/null
check "an honest man in the middle is no trouble" "$VES" sync --db victim.db

# look -- how the victim stands: $health $pending $syncing $failed $kept $lag and
# the codes of its open alerts.
look()
{
	read -r health pending syncing failed kept lag codes <<< "$(json \
		"[$("$VES" status --db victim.db --json),$("$VES" quarantine --db victim.db --json --limit 100)]" \
		'" ".join(str(x) for x in [d[0]["health"], d[0]["counts"]["pending"], d[0]["counts"]["syncing"], d[0]["counts"]["failed"],
			d[0]["quarantined"], d[0]["sequence"]["lag"], *(a["code"] for a in d[1]["alerts"] if "settledAt" not in a)])')"
}
# true_so_far -- is everything the victim pulled, or has a receipt for, in the
# sequencer's file just so?
true_so_far()
{
	[ "$(sqlite3 "$SEQ" "ATTACH 'victim.db' AS v;
		SELECT (SELECT count(*) FROM v.ves_events) - (SELECT count(*) FROM v.ves_events a JOIN ves_events b ON b.id = a.id AND b.event_hash = a.event_hash),
		(SELECT count(*) FROM v.ves_outbox WHERE receipt IS NOT NULL OR status = 'synced') - (SELECT count(*) FROM v.ves_outbox a JOIN ves_events b ON b.stream_no = 1 AND b.sequence_number = a.sequence_number AND b.event_hash = a.event_hash)")" = "0|0" ]
}
pulled() { sqlite3 victim.db "SELECT count(*) FROM ves_events"; }
in_log() { sqlite3 "$SEQ" "SELECT count(*) FROM ves_events WHERE stream_no = 1"; }

all_signed() { [ "$(sqlite3 "$SEQ" "SELECT signed_size FROM ves_tlogs WHERE stream_no = 1")" = "$(in_log)" ]; }

# a_lie MODE KIND CODE -- what a pull does with it.  KIND: false (a proven
# falsehood: exit 5, evidence, attention), again (of no use: exit 1), cut (no
# answer: exit 4).
a_lie()
{
	local mode=$1 kind=$2 code=${3:-} before bad="" exit_code
	adjust till.db MUG 1
	adjust till.db MUG 1
	"$VES" sync --db till.db > /dev/null || bad="$bad; the till does not sync"
	wait_for 60 all_signed || bad="$bad; no head is signed"
	before=$(pulled)
	echo "$mode" > mode
	"$VES" pull --db victim.db > out 2> err
	exit_code=$?
	case $kind:$exit_code in false:5 | again:1 | cut:4) ;; *) bad="$bad; exit $exit_code" ;; esac
	[ -s err ] || bad="$bad; no word of it"
	look
	case $kind in
	false)
		[ "$health" = attention ] || bad="$bad; health is $health"
		case " $codes " in *" $code "*) ;; *) bad="$bad; no alert $code but $codes" ;; esac ;;
	*)
		[ "$kept$codes" = 0 ] || bad="$bad; $kept in quarantine, alerts $codes" ;;
	esac
	[ "$(pulled)" -ge "$before" ] || bad="$bad; lost pulled events"
	true_so_far || bad="$bad; it believed a lie"
	# Work goes on meanwhile.
	adjust victim.db CUP 1 || bad="$bad; cannot append"
	[ "$mode" = lost ] || "$VES" push --db victim.db > out 2> err || bad="$bad; cannot push: $(cat err)"
	# The truth again.
	echo honest > mode
	"$VES" sync --db victim.db > out 2> err || bad="$bad; afterwards: exit $? $(cat err)"
	look
	[ "$health $pending $syncing $failed $kept $lag $codes" = "healthy 0 0 0 0 0 " ] ||
		bad="$bad; afterwards: $health $pending $syncing $failed $kept $lag $codes"
	is "pull: $mode" "$bad" ""
}
a_lie corrupt false hash_mismatch
a_lie rewrite false receipt_invalid
a_lie resign false signature_invalid
a_lie strip-base false receipt_invalid
a_lie swap-numbers false receipt_invalid
a_lie swap-receipts false receipt_invalid
a_lie other-key false receipt_invalid
a_lie other-stream false scope_mismatch
a_lie rotate false sequencer_key_changed
a_lie forge-keys false directory_invalid
a_lie hide false log_mismatch
a_lie lost false diverged
a_lie forge again
a_lie reorder again
a_lie drop again
a_lie empty again
a_lie replay again
a_lie garbage again
a_lie html again
a_lie deep again
a_lie truncate again
a_lie cut cut
a_lie gone-for-reads cut

# a_head MODE CODE WORDS -- a signed head, or its proof, that is false: nothing of
# its page is let in, for this reason.
a_head()
{
	local bad="" before
	before=$(pulled)
	echo "$1" > mode
	"$VES" pull --db victim.db > out 2> err
	[ $? -eq 5 ] || bad="$bad; not exit 5"
	grep -qE -- "($3).*\\($2\\)" err || bad="$bad; words: $(cat err)"
	[ "$(pulled)" -eq "$before" ] || bad="$bad; something of it was applied"
	is "a head: $1" "$bad" ""
}
adjust till.db MUG 1
adjust till.db MUG 1
"$VES" sync --db till.db > /dev/null
check "there are new events under a head" wait_for 60 all_signed
a_head told-origin checkpoint_invalid "no key of this sequencer|another log than before"
a_head told-stream checkpoint_invalid "is of another log"
a_head told-key-name checkpoint_invalid "no key of this sequencer signed"
a_head told-key-id checkpoint_invalid "no key of this sequencer signed"
a_head told-signature checkpoint_invalid "signature does not verify"
a_head told-root checkpoint_invalid "signature does not verify"
a_head told-forged checkpoint_invalid "no key of this sequencer signed"
a_head told-smaller checkpoint_invalid "signature does not verify"
a_head told-size-0 checkpoint_invalid "size|signed note"
a_head told-cr checkpoint_invalid "signed note"
a_head told-further log_mismatch "not proven that the head"
a_head told-unproven log_mismatch "not proven that the head"
a_head told-more checkpoint_invalid "head that needs none"
look
is "a person is asked" "$health" attention
is "for both reasons" "$(tr ' ' '\n' <<< "$codes" | sort -u | xargs)" "checkpoint_invalid log_mismatch"
echo honest > mode
check "the truth is taken" "$VES" sync --db victim.db
look
is "and settles what was false by itself" "$health $kept $lag $codes" "healthy 0 0 "

# An event that gets a second number: the evidence is about a number that is
# not there yet, so it stays open until that number is, and verifies.
adjust till.db MUG 1
"$VES" sync --db till.db > /dev/null
echo twice > mode
exits "pull: twice" 5 "$VES" pull --db victim.db
echo honest > mode
"$VES" sync --db victim.db > /dev/null
look
is "it stays open while there is no such number" "$health" attention
adjust till.db MUG 1
"$VES" sync --db till.db > /dev/null
check "until there is" "$VES" sync --db victim.db
look
is "then all is well" "$health" healthy

# What is only unproven.
join bare.db
echo unproven > mode
exits "pull: without receipts" 0 "$VES" pull --db bare.db
is "is said to be unproven" "$(store_is bare.db 'd["position"]')" unproven
echo honest > mode

# b_lie MODE EXIT CODE -- what a push does with it.  EXIT may be a list.
b_lie()
{
	local mode=$1 wanted=$2 code=${3:-} bad="" exit_code before
	adjust victim.db CUP 1
	adjust victim.db CUP 1
	before=$(in_log)
	echo "$mode" > mode
	"$VES" push --db victim.db > out 2> err
	exit_code=$?
	case " $wanted " in *" $exit_code "*) ;; *) bad="$bad; exit $exit_code: $(cat out err)" ;; esac
	look
	case " $codes " in *" $code "*) ;; *) bad="$bad; no alert $code but $codes" ;; esac
	[ -z "$code" ] || [ "$health" = attention ] || bad="$bad; health is $health"
	# Nothing is acknowledged that has no true receipt.
	"$VES" ack --db victim.db > /dev/null 2>&1
	true_so_far || bad="$bad; it believed a lie"
	adjust victim.db CUP 1 || bad="$bad; cannot append"
	"$VES" pull --db victim.db > /dev/null 2> err || bad="$bad; cannot pull: $(cat err)"
	echo honest > mode
	"$VES" sync --db victim.db > out 2> err || bad="$bad; afterwards: exit $? $(cat out err)"
	[ "$(in_log)" -eq $((before + 3)) ] || bad="$bad; the log grew by $(($(in_log) - before)), not 3"
	look
	[ "$health $pending $syncing $failed $codes" = "healthy 0 0 0 " ] || bad="$bad; afterwards: $health $pending $syncing $failed $codes"
	is "push: $mode" "$bad" ""
}
b_lie push-other-key 5 push_receipt_invalid
b_lie push-swap 5 push_receipt_invalid
b_lie push-renumber 5 push_receipt_invalid
b_lie push-refuse "3 5" refusal_invalid
b_lie push-silent 1
b_lie push-replay "1 5"
b_lie push-lost 4
b_lie push-500 "1 4"

# An event that the sequencer will not have, three times: failed, kept, taken up
# again by the next explicit push.
stuck=$("$VES" append --db victim.db inventory.adjusted CUP --payload '{"delta":1}')
echo push-500 > mode
for _ in 1 2 3 4; do "$VES" push --db victim.db > /dev/null 2>&1; done
look
like "why: what could not be sent says so" "$("$VES" why --db victim.db "$stuck")" "(could not be sent|[Pp]ush|wait)"
is "nothing is lost of it" $((pending + failed)) 1
echo honest > mode
check "the next push takes it up" "$VES" push --db victim.db
check "and it is synced" "$VES" sync --db victim.db

for s in till.db bare.db; do "$VES" sync --db $s > /dev/null; done
is "all stores have one state hash" "$(for s in till.db victim.db; do store_is $s 'd["stateHash"]'; done | sort -u | wc -l)" 1
exits "the victim agrees with itself" 0 "$VES" doctor --db victim.db
check "an independent checker agrees" lib check_log "$SEQ" till.db victim.db --settled --others
is "every lie is on record" "$("$VES" quarantine --db victim.db --json --limit 100 | python3 -c 'import sys,json; d=json.load(sys.stdin); print(len({a["code"] for a in d["alerts"]}) >= 9, all("settledAt" in a for a in d["alerts"]))')" "True True"
done_testing
