#!/bin/bash
# slow-41-mcp-conformance.sh -- the official conformance suite against a server made
# of the same protocol library, in both eras; nothing is baselined.
. "$(dirname "$0")/../lib/tap.sh"
. "$HERE/test/lib/mcp.sh"
need_node "the official conformance suite"
serve_http "$HERE/$BUILD/mcp-fixture" || exit 1
conformance 2025-11-25 --requirements 2025-11-25
conformance 2026-07-28 --requirements 2026-07-28
done_testing
