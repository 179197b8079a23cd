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
