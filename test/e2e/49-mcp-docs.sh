#!/bin/bash
# 49-mcp-docs.sh -- configurations for hosts in the README, and the agent
# definition under examples, as a reader would use them.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join till.db || exit 1
adjust till.db MUG 1
"$PYTHON" -E "$HERE/test/lib/mcp_docs.py" "$VES" "$T/till.db" "$HERE/README.md" "$HERE/examples/sync-agent.md"
exit $?
