#!/bin/bash
# 11-demo.sh -- what ./run shows, without and with a shop's own data.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1

# table NAME -- the demo's closing table against the files it left behind.
table()
{
	local dir=$T/$1 out=$T/$1.out rows events
	rows=$(grep -E '^(till-1|till-2|office) +[0-9]+ +[0-9]+ ok +[0-9]+ ok +[0-9]+   [0-9a-f]{16}\.\.\.$' "$out")
	is "$1: three stores in the table" "$(wc -l <<< "$rows")" 3
	is "$1: one number of events, five mugs, one state hash" "$(awk '{print $2, $7, $8}' <<< "$rows" | sort -u | wc -l) $(awk '{print $7; exit}' <<< "$rows")" "1 5"
	events=$(awk '{print $2; exit}' <<< "$rows")
	is "$1: each store verified at least that many signatures and receipts" "$(awk '$3 < $2 || $5 < $2' <<< "$rows")" ""
	is "$1: the sequencer's file has as many" "$(sqlite3 "$dir/hub.db" "SELECT count(*) FROM ves_events")" "$events"
	like "$1: says so" "$(cat "$out")" "^state hash equal on all three stores"
	like "$1: time and speed" "$(cat "$out")" "synced to three stores in [0-9]+ ms: [0-9]+ events a second"
	like "$1: offline work was pending" "$(cat "$out")" "^(offline|pending_work): [0-9]+ pending"
	like "$1: a conflict was the same everywhere, and is decided" "$(cat "$out")" "^    resolved: accept_remote by person: the till asked the customer"
	is "$1: and none is left" "$("$VES" conflicts --db "$dir/till-2.db" --json | grep -o '"open":0')" '"open":0'
	check "$1: an independent checker agrees" lib check_log "$dir/hub.db" "$dir/till-1.db" "$dir/till-2.db" "$dir/office.db" --settled --signatures 10
	for s in till-1 till-2 office; do
		exits "$1: $s agrees with itself" 0 "$VES" doctor --db "$dir/$s.db"
	done
	# The commands it offers for looking around are real ones.
	sed -n '/^== look around/,$p' "$out" | grep -E '^(ves (status|outbox|log|conflicts|entity|trail|doctor)|sqlite3) ' > "$1.look"
	is "$1: commands to look around with" "$(wc -l < "$1.look")" 8
	(cd "$dir" && mkdir -p bin && ln -sf "$VES" bin/ves && PATH=$dir/bin:$PATH bash -e "$T/$1.look") > look.out 2>&1
	is "$1: and they work" $? 0
}

# Smaller than what a person sees, which takes longer than a test should.
DEMO_INVOICES=20 "$HERE/tools/demo" --dir "$T/made" > made.out 2>&1
is "the demo runs" $? 0
[ -e made/hub.db ] || sed 's/^/# /' made.out
table made
# What a person sees, of which a test has not the time: no conflict but the
# demo's own, because one customer has one country on both days.
for day in 1 2; do "$HERE/tools/generate-day" $day 140; done | awk -F, '/^C?6/ && $(NF-1) { print $(NF-1), $NF }' | sort -u > countries
is "the generated days agree about their customers" "$(cut -d' ' -f1 countries | uniq -d)" ""
exits "a folder that has a demo in it is left alone" 1 "$HERE/tools/demo" --dir "$T/made"
exits "an unknown option is a usage error" 2 "$HERE/tools/demo" --nonsense

if ls "$VES_SHARED"/data/online-retail/*.csv > /dev/null 2>&1; then
	mkdir some
	for f in 2010-12-01 2010-12-02; do head -n 400 "$VES_SHARED/data/online-retail/$f.csv" > some/$f.csv; done
	"$HERE/tools/demo" --data "$T/some" --dir "$T/real" > real.out 2>&1
	is "the demo runs with a real shop's invoices" $? 0
	table real
	check "the first till sold the first day" lib check_import some/2010-12-01.csv real/till-1.db --with-others
	check "the second till the second" lib check_import some/2010-12-02.csv real/till-2.db --with-others
else
	skip "the demo with a real shop's invoices" "no CSV in $VES_SHARED/data/online-retail"
fi
done_testing
