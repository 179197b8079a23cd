#!/bin/bash
# 46-mcp-hostile.sh -- a hostile client of ves mcp on a pipe, and kill -9 in the
# middle of calls.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join a.db && join b.db || exit 1
"$PYTHON" -E "$HERE/test/lib/mcp_attack.py" client "$VES" "$T/a.db" "$T/b.db" "$SERVER_PID" "$SEQ" "${URL#http://}"
exit $?
