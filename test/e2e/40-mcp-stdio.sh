#!/bin/bash
# 40-mcp-stdio.sh -- the protocol library on a pipe: what the wire transcripts
# of the official SDK show, and what that SDK gets wrong.
. "$(dirname "$0")/../lib/tap.sh"
exec "$PYTHON" -E "$HERE/test/lib/mcp_stdio.py" "$HERE/$BUILD/mcp-fixture"
