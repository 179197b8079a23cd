#!/bin/bash
# slow-32-random.sh -- random commands on three stores, some killed, some two at once;
# an independent checker after each.  SEED and STEPS choose another run.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
for i in 1 2 3; do join "s$i.db"; done
SEED=${SEED:-7}
check "the stores agree with a second opinion all along (seed $SEED)" lib random_fleet "$SEED" "${STEPS:-50}" s1.db s2.db s3.db
check "and with the sequencer's log" lib check_log "$SEQ" s1.db s2.db s3.db
for i in 1 2 3; do check "store $i is in order" "$VES" doctor --db "s$i.db"; done
done_testing
