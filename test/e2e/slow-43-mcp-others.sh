#!/bin/bash
# slow-43-mcp-others.sh -- what others say of ves mcp: the scenarios of the official
# conformance suite that need no test tools, Inspector with --strict, and the
# official TypeScript clients 1.x and 2.x.
. "$(dirname "$0")/../lib/tap.sh"
. "$HERE/test/lib/mcp.sh"
need_node "conformance suite, Inspector and clients"
cd "$T" || exit 1
new_hub || exit 1
join till.db || exit 1
adjust till.db MUG 5
serve_http "$VES" mcp --db till.db --check-output || exit 1
PRODUCT_URL=$MCP_URL

# Tools that ask, log or sample are the fixture's.
cat > baseline.yml <<'YML'
server:
  - server-stateless:sep-2575-server-rejects-undeclared-capability
  - server-stateless:sep-2575-missing-capability-http-400
  - server-stateless:sep-2575-http-server-no-independent-requests-on-stream
  - server-stateless:sep-2575-server-no-log-without-loglevel
YML
# scenarios REVISION NAME... -- the suite runs once, with all that fails for want
# of the fixture's tools; those named must pass.
scenarios()
{
	local revision=$1 name
	shift
	"$NODE" "$NODE_DIR/@modelcontextprotocol/conformance/dist/index.js" server --url "$PRODUCT_URL" \
		-o "$T/out" --requirements "$revision" --expected-failures baseline.yml > "suite.$revision" 2>&1
	for name in "$@"; do
		like "$revision $name" "$(sed -n '/=== SUMMARY ===/,/^Total/p' "suite.$revision" | grep -E "^. $name:")" "^✓ $name: [1-9][0-9]* passed, 0 failed"
	done
}
scenarios 2025-11-25 server-initialize ping tools-list resources-list prompts-list dns-rebinding-protection \
	server-sse-multiple-streams server-session-lifecycle
scenarios 2026-07-28 tools-list resources-list prompts-list dns-rebinding-protection caching sep-2164-resource-not-found \
	input-required-result-unsupported-methods http-header-validation server-sse-multiple-streams
like "2026-07-28 server-stateless" "$(grep -E '^. server-stateless:' suite.2026-07-28)" "^✗ server-stateless: 24 passed, $(grep -c ' - ' baseline.yml) failed"
is "... which are those that are expected" "$(sed -n '/^[^ ]*Unexpected failures/,$p' suite.2026-07-28 | grep -c 'server-stateless')" 0

# ---- Inspector ---------------------------------------------------------------
inspect() { "$NODE" "$NODE_DIR/@modelcontextprotocol/inspector/clients/launcher/build/index.js" --cli "$@"; }
for era in legacy modern; do
	check "Inspector, $era: --strict finds every schema portable" \
		inspect -q --strict --protocol-era $era --method tools/list -- "$VES" mcp --db till.db
	out=$(inspect -q --format json --protocol-era $era --method tools/call --tool-name get_sync_status --tool-arg probe=false \
		-- "$VES" mcp --db till.db 2>&1)
	like "Inspector, $era: a call" "$out" '"pending_work"|\\"pending_work\\"'
	out=$(inspect -q --format json --protocol-era $era --method resources/read --uri ves://status -- "$VES" mcp --db till.db 2>&1)
	like "Inspector, $era: a resource" "$out" 'ves://status'
	out=$(inspect -q --format json --protocol-era $era --method prompts/get --prompt-name check_sync_health -- "$VES" mcp --db till.db 2>&1)
	like "Inspector, $era: a prompt" "$out" 'get_sync_status'
	exits "Inspector, $era: a tool's error is exit 5" 5 \
		inspect -q --protocol-era $era --method tools/call --tool-name push_events --tool-arg limit=5000 -- "$VES" mcp --db till.db
done

# ---- clients -----------------------------------------------------------------
serve_http "$HERE/$BUILD/mcp-fixture" || exit 1
while IFS= read -r line; do
	case $line in
	"ok "*) ok "${line#* - }" ;;
	"not ok "*) not_ok "${line#* - }" ;;
	"1.."*) clients_done=1 ;;
	*) echo "# $line" ;;
	esac
done < <("$NODE" "$HERE/test/lib/mcp_clients.mjs" "$HERE/build/node" "$PRODUCT_URL" "$MCP_URL" \
	-- "$VES" mcp --db till.db --check-output -- "$HERE/$BUILD/mcp-fixture" 2>&1)
is "the clients ran to their end" "${clients_done:-}" 1

# ---- HTTP --------------------------------------------------------------------
(umask 077; echo "a secret of some length" > token)
serve_http "$VES" mcp --db till.db --token-file token || exit 1
body='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}'
ask() { curl -s -o reply -w '%{http_code}' -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' "$@" "$MCP_URL"; }
is "no token: 401" "$(ask -d "$body")" 401
is "a wrong token: 401" "$(ask -H 'Authorization: Bearer nope' -d "$body")" 401
is "the token: 200" "$(ask -H 'Authorization: Bearer a secret of some length' -d "$body")" 200
is "a foreign Host: 403" "$(ask -H 'Host: evil.example' -H 'Authorization: Bearer a secret of some length' -d "$body")" 403
is "a foreign Origin: 403" "$(ask -H 'Origin: http://evil.example' -H 'Authorization: Bearer a secret of some length' -d "$body")" 403
is "GET: 405" "$(ask -H 'Authorization: Bearer a secret of some length' -X GET)" 405
is "another type: 415" "$(curl -s -o reply -w '%{http_code}' -H 'Content-Type: text/plain' \
	-H 'Authorization: Bearer a secret of some length' -d "$body" "$MCP_URL")" 415
is "broken JSON: 400" "$(ask -H 'Authorization: Bearer a secret of some length' -d '{bad')" 400
like "and says so" "$(cat reply)" '"code":-32700'
chmod 644 token
exits "a token file others can read is refused" 1 "$VES" mcp --db till.db --http 127.0.0.1:0 --token-file token
exits "no address but loopback" 1 "$VES" mcp --db till.db --http 0.0.0.0:0
done_testing
