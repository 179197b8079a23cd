#!/bin/bash
# 38-backup.sh -- a sequencer's backup as ves-serve(8) has it: its commands are
# run; what was acknowledged after it comes back from a store, byte for byte.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
mkdir data heads bin
ln -s "$VES" bin/ves
export PATH=$T/bin:$PATH
SEQ=data/hub.db
TENANT=$(cat /proc/sys/kernel/random/uuid) STORE=$(cat /proc/sys/kernel/random/uuid)
STREAM_ARGS="--tenant $TENANT --store $STORE"
lib extract man "$HERE/man/ves-serve.8" | awk -v RS= '{ print > "block" NR }'
serve() { start_server $SEQ --head-file heads/heads --log-host shop.example; }
events() { curl -sS -H "Authorization: ApiKey $(cat $SEQ.admin-key)" "$URL/api/v1/ves/events?tenant_id=$TENANT&store_id=$STORE&receipts=1"; }
signed_all() { [ "$(tail -n 1 heads/heads | cut -d ' ' -f 2)" = "$(sqlite3 $SEQ 'SELECT count(*) FROM ves_events')" ]; }

serve || exit 1
LISTEN=${URL#http://}
join till.db && join office.db || exit 1
for i in 1 2 3; do adjust till.db MUG "$i"; done
"$VES" sync --db till.db > /dev/null
check "a backup is made while it serves" bash -eu block1
check "with the keys, for the owner only" bash -c '[ "$(stat -c %a backup/hub.db.key backup/hub.db.admin-key | sort -u)" = 600 ]'
check "without the head file" bash -c '! ls backup | grep -q heads'

# Sales go on; the disk dies.
for i in 4 5; do adjust till.db MUG "$i"; done
adjust office.db CUP 1
"$VES" sync --db office.db > /dev/null
"$VES" sync --db till.db > /dev/null
check "all heads are signed" wait_for 60 signed_all
events > before
stop_server
rm -rf data
mkdir data && cp -p backup/hub.db* data/
exits "the backup alone does not start" 1 timeout 60 "$VES" serve --db $SEQ --listen 127.0.0.1:0 --head-file heads/heads
rm -rf data
out=$(bash -eu block2 2>&1)
is "it is put back and made whole" $? 0
like "from a store" "$out" '1 streams made whole, [0-9]+ events put back'
serve && ok "it serves again" || not_ok "it serves again"
events > after
check "the same events, numbers and receipts" cmp before after
adjust office.db CUP 1
check "and takes new ones" "$VES" sync --db office.db
check "that others get" "$VES" sync --db till.db
is "nothing is sold twice" "$(on_hand till.db MUG) $(on_hand till.db CUP)" "15 2"
check "an independent checker agrees" lib check_log $SEQ till.db office.db --settled
stop_server
done_testing
