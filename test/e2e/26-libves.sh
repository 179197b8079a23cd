#!/bin/bash
# 26-libves.sh -- the program in libves(3), compiled as it stands and run.
. "$(dirname "$0")/../lib/tap.sh"

# mdoc writes a backslash as \e and quotes nothing else here.
sed -n '/^\.Bd -literal/,/^\.Ed/p' "$HERE/man/libves.3" | sed '1d;$d' | sed 's/\\e/\\/g' > "$T/till.c"
check "it compiles without a warning" gcc -std=c11 -Wall -Wextra -Werror -I"$HERE/include" "$T/till.c" \
	-L"$HERE/$BUILD" -Wl,-rpath,"$(cd "$HERE/$BUILD" && pwd)" -lves -lsqlite3 -o "$T/till"
is "it sells" "$("$T/till" "$T/till.db" 2>&1)" "sold"
is "it sells again in the store it made" "$("$T/till" "$T/till.db" 2>&1)" "sold"
is "two rows" "$(sqlite3 "$T/till.db" 'SELECT count(*) FROM sales')" 2
is "two signed events wait in the outbox" "$("$VES" outbox --db "$T/till.db" --json | grep -o '"inventory.adjusted"' | wc -l)" 2
check "the store is sound" "$VES" doctor --db "$T/till.db"
done_testing
