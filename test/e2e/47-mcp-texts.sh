#!/bin/bash
# 47-mcp-texts.sh -- hostile texts in events, several servers on one store, and
# an agent that only follows nextSteps.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join a.db && join b.db || exit 1
"$PYTHON" -E "$HERE/test/lib/mcp_attack.py" store "$VES" "$T/a.db" "$T/b.db" "$SERVER_PID" "$SEQ" "${URL#http://}"
exit $?
