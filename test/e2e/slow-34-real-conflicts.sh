#!/bin/bash
# slow-34-real-conflicts.sh -- two days of a real shop on three tills, edited offline
# on all of them, synced and decided; Python counts after.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
days=("$VES_SHARED/data/online-retail/2010-12-01.csv" "$VES_SHARED/data/online-retail/2010-12-02.csv")
what="stock and money of a quarrelling shop are those of its file"
if [ ! -e "${days[0]}" ] || [ ! -e "${days[1]}" ]; then
	skip "$what" "the invoices of the shop (${days[*]}) are not there"
	done_testing
fi
new_hub || exit 1
for till in one two three; do
	join $till.db
	"$VES" settings --db $till.db batchSize=1000 > /dev/null
done
if out=$(lib real_quarrel 1 "${days[@]}" -- one.db two.db three.db 2>&1); then ok "$what"; else not_ok "$what"; fi
echo "$out" | tail -n 30 | sed 's/^/# /'
check "the log is sound" lib check_log "$SEQ" one.db two.db three.db
audits "$SEQ" one.db
done_testing
