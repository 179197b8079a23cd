#!/bin/bash
# 48-mcp-lies.sh -- what an agent is told over MCP when the sequencer lies.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join honest.db || exit 1
echo honest > mode
start_proxy mode || exit 1
URL=$PROXY
join victim.db || exit 1
"$PYTHON" -E "$HERE/test/lib/mcp_lies.py" "$VES" "$T/victim.db" "$T/honest.db" "$T/mode"
exit $?
