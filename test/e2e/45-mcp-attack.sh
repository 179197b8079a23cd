#!/bin/bash
# 45-mcp-attack.sh -- what strangers and web pages may do to ves mcp --http.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join a.db || exit 1
adjust a.db MUG 5
"$PYTHON" -E "$HERE/test/lib/mcp_http.py" "$VES" "$T/a.db"
exit $?
