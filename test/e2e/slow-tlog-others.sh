#!/bin/bash
# slow-tlog-others.sh -- the provable log's bytes before programs that others
# wrote: Go's sumdb/note and sumdb/tlog, and @sigstore/verify from npm.
. "$(dirname "$0")/../lib/tap.sh"
cd "$HERE" || exit 1
check "log-dir is built" make -s "$BUILD/log-dir" BUILD="$BUILD"
[ -x "$BUILD/log-dir" ] || done_testing

# x/mod as Debian packages it, without a module and so without a network.
GOCODE=${VES_GOPATH:-/usr/share/gocode}
if ! command -v go > /dev/null; then
	skip "Go's sumdb checks our log" "NOT CHECKED: there is no go (package golang-go)"
elif [ ! -d "$GOCODE/src/golang.org/x/mod/sumdb/tlog" ]; then
	skip "Go's sumdb checks our log" "NOT CHECKED: no golang.org/x/mod in $GOCODE (package golang-golang-x-mod-dev)"
else
	export GO111MODULE=off GOPATH=$GOCODE GOFLAGS= GOCACHE=$T/go-cache
	check "the Go program builds" go build -o "$T/check" test/interop/check.go
	for size in 1 2 255 256 257 5000; do
		mkdir -p "$T/$size"
		check "log-dir writes $size entries" "$BUILD/log-dir" "$T/$size" "$size" $((size < 300 ? 60 : 600)) "$size"
		out=$("$T/check" "$T/$size" 2>&1)
		like "x/mod agrees on a log of $size: $out" "$out" '^[0-9]+ checks$'
	done
	# The checker must be able to fail.
	printf 'x' | dd of="$T/5000/tile/entries/003" bs=1 seek=200 conv=notrunc 2> /dev/null
	like "x/mod sees one changed byte" "$("$T/check" "$T/5000" 2>&1)" '^FAIL'

	# A running sequencer, over HTTP: everything it serves, twice, while it grows.
	mkdir -p "$T/go" && cp test/interop/replay.go "$T/go/main.go"
	check "the Go program that reads over HTTP builds" go build -o "$T/replay" "$T/go/main.go"
	new_hub
	join "$T/till.db"
	make_events() { for i in $(seq "$1"); do echo "SELECT ves_append('inventory.adjusted','SKU-$i','{\"delta\":$i}');"; done | sqlite3 -bail -cmd ".load ${VES_EXTENSION:-$HERE/$BUILD/ves.so}" "$T/till.db" > /dev/null; }
	KEY=$(cat "$SEQ.admin-key") size=1 # the till's key
	for more in 2 250 3 600; do
		check "$more events more" make_events $more
		"$VES" push --db "$T/till.db" > /dev/null
		size=$((size + more))
		about() { curl -sS -H "x-api-key: $KEY" "$URL/api/v1/ves/log?tenant_id=$TENANT&store_id=$STORE"; }
		signed() { [ "$(json "$(about)" 'd["signedSize"]')" = "$size" ]; }
		check "a head of $size is signed" wait_for 60 signed
		out=$("$T/replay" "$URL$(json "$(about)" 'd["prefix"]')" "$KEY" "$(json "$(about)" 'd["vkeys"][-1]')" "$T/replay.state" 2>&1)
		like "x/mod replays a log of $size over HTTP: $out" "$out" '^[0-9]+ checks$'
	done
	# A store that was changed behind the sequencer's back is seen.
	stop_server
	sqlite3 "$SEQ" "UPDATE ves_tiles SET hashes = CAST(x'00' || substr(hashes, 2) AS BLOB) WHERE id & 68719476735 = 0 AND level = 0"
	start_server "$SEQ"
	out=$("$T/replay" "$URL$(json "$(about)" 'd["prefix"]')" "$KEY" "$(json "$(about)" 'd["vkeys"][-1]')" "$T/replay.state" 2>&1)
	like "x/mod sees a tile that was changed on disk" "$out" '^FAIL'
	stop_server
fi

modules=$HERE/build/sigstore/node_modules
NODE=${VES_NODE:-$(command -v node)}
if ! why=$(tools/get-sigstore 2>&1); then
	skip "@sigstore/verify checks our proofs" "NOT CHECKED: $why"
elif ! "$NODE" -e 'require(process.argv[1] + "/@sigstore/verify/dist/tlog/merkle.js")' "$modules" 2> /dev/null; then
	skip "@sigstore/verify checks our proofs" "NOT CHECKED: $NODE cannot load it (Node 20 or later can)"
else
	mkdir -p "$T/sigstore"
	check "log-dir writes 3000 entries" "$BUILD/log-dir" "$T/sigstore" 3000 1 7
	out=$("$NODE" test/interop/check.cjs "$modules" "$T/sigstore" 2>&1)
	like "@sigstore/verify agrees: $out" "$out" '^[0-9]+ checks$'
	printf 'x' | dd of="$T/sigstore/proofs/3.entry" bs=1 seek=30 conv=notrunc 2> /dev/null
	out=$("$NODE" test/interop/check.cjs "$modules" "$T/sigstore" 2>&1)
	if grep -qE '^[0-9]+ checks$' <<< "$out"; then not_ok "@sigstore/verify sees one changed byte"; else ok "@sigstore/verify sees one changed byte"; fi
fi
done_testing
