#!/bin/bash
# slow-decided.sh -- several decide the same at once, in one store and in two;
# kill -9 while they do.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join a.db && join b.db && join c.db || exit 1
"$PYTHON" -E "$HERE/test/lib/decided.py" rivals "$VES" "$T/a.db" "$T/b.db" "$T/c.db"
exit $?
