#!/bin/bash
# 42-mcp-tools.sh -- the tools of ves mcp on two stores of one stream.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
export VES_SHARED
new_hub || exit 1
join a.db && join b.db || exit 1
"$PYTHON" -E "$HERE/test/lib/mcp_tools.py" "$VES" "$T/a.db" "$T/b.db" "$SERVER_PID"
code=$?
exit $code
