#!/bin/bash
# 44-mcp-conflicts.sh -- conflicts through ves mcp: seen by both stores, asked
# about in both eras, decided, and gone.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join a.db && join b.db || exit 1
"$PYTHON" -E "$HERE/test/lib/mcp_conflicts.py" "$VES" "$T/a.db" "$T/b.db"
exit $?
