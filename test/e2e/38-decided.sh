#!/bin/bash
# 38-decided.sh -- three stores and one decision: nobody counts the conflict any
# more, however it is asked; undoing, and a queue that moves on meanwhile.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join a.db && join b.db && join c.db || exit 1
"$PYTHON" -E "$HERE/test/lib/decided.py" people "$VES" "$T/a.db" "$T/b.db" "$T/c.db"
exit $?
