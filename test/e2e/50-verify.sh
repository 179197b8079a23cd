#!/bin/bash
# 50-verify.sh -- ves verify: good files, every attack on them, its exit codes.
. "$(dirname "$0")/../lib/tap.sh"
cd "$HERE" || exit 1
D=$T/files
mkdir -p "$D"
check "the files are written" "$BUILD/attack-files" "$D"

# Every line of expect.txt: exit code and the property's line.
while IFS=$'\t' read -r file code finding property words options; do
	[ "$options" = - ] && options=
	out=$(eval "\"$VES\" verify --policy \"$D/policy\" ${options//DIR/$D} \"$D/$file\"" 2>&1)
	got=$?
	if [ "$got" -eq "$code" ] && grep -qE "^$finding +$property: .*$words" <<< "$out"; then
		ok "$file${options:+ ${options%% *}}: $code, $finding, $property"
	else
		not_ok "$file $options: exit $got, wanted $code and \"$finding $property: ...$words\""
		sed 's/^/# /' <<< "$out"
	fi
done < "$D/expect.txt"

# A head that the caller holds signed makes the contradiction portable.
check "evidence of the fork was written" test -s "$D/good.ves-bundle.ves-evidence"
exits "which verifies with the log's key alone" 0 "$VES" verify --policy "$D/policy" "$D/good.ves-bundle.ves-evidence"
rm -f "$D/good.ves-bundle.ves-evidence"
root=$(sed -n 3p "$D/forked.checkpoint")
exits "a head by size and root" 30 "$VES" verify --policy "$D/policy" --head "11:$root" "$D/good.ves-bundle"
check "makes no evidence" test ! -e "$D/good.ves-bundle.ves-evidence"

# Beliefs come from the caller: no policy, no verdict.
exits "no policy" 2 "$VES" verify "$D/good.ves-bundle"
exits "a policy that is not there" 2 "$VES" verify --policy "$D/none" "$D/good.ves-bundle"
printf 'log nonsense\nquorum none\n' > "$D/broken"
exits "a broken policy" 2 "$VES" verify --policy "$D/broken" "$D/good.ves-bundle"
exits "a file that is not there" 1 "$VES" verify --policy "$D/policy" "$D/none"
exits "a wrong stream" 40 "$VES" verify --policy "$D/policy" --stream "$(cat /proc/sys/kernel/random/uuid)/$(cat /proc/sys/kernel/random/uuid)" "$D/good.ves-bundle"
exits "a stream that is none" 2 "$VES" verify --policy "$D/policy" --stream x "$D/good.ves-bundle"
exits "a head that is none" 2 "$VES" verify --policy "$D/policy" --head 11 "$D/good.ves-bundle"
exits "an agent's key that is none" 2 "$VES" verify --policy "$D/policy" --agent-key 1/1/1 "$D/good.ves-bundle"
exits "a checkpoint that is none" 2 "$VES" verify --policy "$D/policy" --known "$D/policy" "$D/good.ves-bundle"

# From a pipe, and as JSON.
doc=$("$VES" verify --policy "$D/policy" --json - < "$D/good.ves-bundle")
is "JSON: verdict" "$(json "$doc" 'd["verdict"]')" PROVEN
is "JSON: every property" "$(json "$doc" 'sorted({p["finding"] for p in d["properties"]})')" '["PROVEN"]'
is "JSON: what cannot be proven" "$(json "$doc" 'len(d["cannotBeProven"]) >= 4')" true
is "JSON: the head" "$(json "$doc" 'd["treeSize"]')" 11

# Nothing but the file and the policy is read: no network, no store.
if may_trace; then
	strace -f -e trace=network,openat -o "$T/calls" "$VES" verify --policy "$D/policy" "$D/good.ves-bundle" > /dev/null
	check "its calls are seen" grep -q 'good.ves-bundle"' "$T/calls"
	is "no socket, no store" "$(grep -cE 'socket\(|connect\(|\.db"' "$T/calls")" 0
else
	skip "no socket, no store" "NOT CHECKED: there is no strace, or it may not trace"
fi

# A libsodium that takes everything, put before the real one.  A sanitizer's
# runtime wants to be the first itself.
if ldd "$VES" | grep -q libsodium && ! ldd "$VES" | grep -q 'san\.so' && ! nm "$VES" | grep -q __asan_init; then
	echo 'int crypto_sign_verify_detached(const unsigned char *s, const unsigned char *m, unsigned long long n, const unsigned char *k) { (void)s; (void)m; (void)n; (void)k; return 0; }' > "$T/lenient.c"
	${CC:-cc} -shared -fPIC "$T/lenient.c" -o "$T/lenient.so"
	said=$(LD_PRELOAD=$T/lenient.so "$VES" verify --policy "$D/policy" "$D/good.ves-bundle" 2>&1)
	is "a libsodium that takes what is no signature is not used" "$?" 1
	like "and it is said what to do" "$said" 'libsodium takes signatures that are none.*install'
else
	skip "a libsodium that takes what is no signature is not used" "another one cannot be put before it"
fi
done_testing
