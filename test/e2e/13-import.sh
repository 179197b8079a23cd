#!/bin/bash
# 13-import.sh -- a shop's invoices become events; Python counts after.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
import() { "$VES" import --db "$1" "$2" --format online-retail "${@:3}"; }
total() { store_is "$1" 'sum(d["counts"].values())'; }

"$HERE/tools/generate-day" 7 60 > day.csv
join till.db
join office.db
is "a dry run says what would come" "$(json "$(import till.db day.csv --dry-run --json)" 'd["dryRun"]')" true
is "and appends nothing" "$(total till.db)" 0
report=$(import till.db day.csv --json)
is "nothing of a good file is skipped" "$(json "$report" 'd["skipped"]')" "[]"
check "the events are those of the file, no more, no less" lib check_import day.csv till.db
is "the report adds up" "$(json "$report" 'd["orders"]+d["returns"]+d["customers"]+d["adjustments"] == d["appended"]')" true
is "and is what the outbox holds" "$(json "$report" 'd["appended"]')" "$(total till.db)"
before=$(total till.db)
again=$(import till.db day.csv --json)
is "importing twice adds nothing" "$(json "$again" 'd["appended"]') $(total till.db)" "0 $before"
is "and says that all is there" "$(json "$again" 'd["alreadyThere"]')" "$before"
check "it syncs" "$VES" sync --db till.db
is "importing a third time, synced, adds nothing" "$(json "$(import till.db day.csv --json)" 'd["appended"]')" 0
check "stock and money of the entities are the file's" lib check_import day.csv till.db --state
check "the office pulls it" "$VES" sync --db office.db
is "state hash" "$(store_is office.db 'd["stateHash"]')" "$(store_is till.db 'd["stateHash"]')"
sed '5s/^\([^,]*\),\([^,]*\),/\1,X\2,/' day.csv > other.csv
if lib check_import other.csv till.db > out; then not_ok "the checker can say no"; else like "the checker can say no" "$(cat out)" "^missing: inventory.adjusted X"; fi

# Euros, the same invoices: another till, the same numbers, other ids.
join euro.db
"$VES" import --db euro.db day.csv --format online-retail --currency EUR > /dev/null
check "another currency, as asked" lib check_import day.csv euro.db EUR
exits "a currency is three capitals" 2 "$VES" import --db euro.db day.csv --format online-retail --currency euro
exits "the format must be said" 2 "$VES" import --db euro.db day.csv

# What cannot be read is reported and skipped.
join broken.db
{
	echo 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'
	echo '1001,AAA,"GOOD, ONE",2,2026-01-05 09:00:00,1.25,17850.0,United Kingdom'
	echo '1001,BBB,BAD QUANTITY,two,2026-01-05 09:00:00,1.25,17850.0,United Kingdom'
	echo '1001,CCC,TOO FEW COLUMNS,2'
	echo '1001,DDD,TOO MANY,2,2026-01-05 09:00:00,1.25,17850.0,United Kingdom,extra'
	echo '1002,EEE,"OPEN QUOTE,2,2026-01-05 09:00:00,1.25,17850.0,United Kingdom'
	printf '1002,FFF,BAD UTF-8 \xff\xfe,2,2026-01-05 09:00:00,1.25,17850.0,United Kingdom\n'
	echo '1002,GGG,BAD PRICE,2,2026-01-05 09:00:00,1.2.5,17850.0,United Kingdom'
	echo '1002,HHH,BAD CUSTOMER,2,2026-01-05 09:00:00,1.25,x17850,United Kingdom'
	echo ',III,NO INVOICE,2,2026-01-05 09:00:00,1.25,17850.0,United Kingdom'
	echo ''
	echo '1003,JJJ,"TWO'
	echo 'LINES",3,2026-01-05 09:00:00,0,,France'
	echo '1003,JJJ,PART "QUOTED" FIELD,3,2026-01-05 09:00:00,0.5,,France'
	echo '1003,KKK,NEGATIVE AND FREE,-3,2026-01-05 09:00:00,0.0,,France'
	echo '1003,LLL,HUGE,99999999999999999999,2026-01-05 09:00:00,1,,France'
	printf '1004,MMM,LAST WITHOUT LINE END,1,2026-01-05 09:00:00,3.999,13047,'
} > broken.csv
out=$(import broken.db broken.csv --json 2> err)
is "a file with bad rows ends with exit 3" $? 3
is "every bad row is reported with its line, no good one is" "$(json "$out" '[s["line"] for s in d["skipped"]]')" \
	"[3, 4, 5, 6, 7, 8, 9, 10, 14, 16]"
like "with a reason" "$(json "$out" '" / ".join(s["reason"] for s in d["skipped"])')" "Quantity is not a whole number.*columns.*quotes.*UTF-8.*UnitPrice.*CustomerID.*InvoiceNo"
is "the good rows are in" "$(json "$out" '[d[k] for k in ("rows","orders","returns","customers","adjustments")]')" "[4, 3, 0, 2, 4]"
is "a description over two lines" "$(json "$("$VES" entity --db broken.db order 1003 --json)" 'd["localState"]["lines"][0]["name"]')" "TWO
LINES"
is "a price that is no whole penny stays a decimal" "$(json "$("$VES" entity --db broken.db order 1004 --json)" '[d["localState"]["lines"][0]["unit_price"], "unit_price_minor" in d["localState"]["lines"][0], "totals" in d["localState"]]')" '["3.999", false, false]'
is "negative sales put stock back" "$(on_hand broken.db KKK)" 3
text=$(import broken.db broken.csv 2>&1)
like "without --json the lines are on standard error" "$text" "line 6 skipped: its quotes do not match"
# A mended row comes in, its neighbours do not come twice.
sed -i 's/BAD QUANTITY,two/BAD QUANTITY,4/' broken.csv
is "a mended row is the only one added" "$(json "$(import broken.db broken.csv --json)" '[d["appended"], d["adjustments"]]')" "[1, 1]"
printf 'a,b\n1,2\n' > strange.csv
exits "another file is refused whole" 1 "$VES" import --db broken.db strange.csv --format online-retail
exits "so is one that is not there" 1 "$VES" import --db broken.db nothing.csv --format online-retail
: > empty.csv
exits "so is an empty one" 1 "$VES" import --db broken.db empty.csv --format online-retail
is "standard input works" "$(head -n 3 day.csv | "$VES" import --db broken.db - --format online-retail --json | python3 -c 'import sys,json; print(json.load(sys.stdin)["rows"])')" 2

# The real thing.
real=$VES_SHARED/data/online-retail/2010-12-01.csv
if [ -e "$real" ]; then
	STREAM_ARGS="--tenant $TENANT --store $(cat /proc/sys/kernel/random/uuid)"
	join real.db
	import real.db "$real" > out
	is "a real day is imported" $? 0
	is "importing it twice adds nothing" "$(json "$(import real.db "$real" --json)" 'd["appended"]')" 0
	"$VES" settings --db real.db batchSize=1000 > /dev/null
	check "it syncs" "$VES" sync --db real.db
	check "events, stock and money are those of the file" lib check_import "$real" real.db --state
	is "the first invoice comes to 139.12 pounds" "$(json "$("$VES" entity --db real.db order 536365 --json)" 'd["state"]["totals"]["total_minor"]')" 13912
else
	skip "a real day of invoices" "$real is not there"
fi
done_testing
