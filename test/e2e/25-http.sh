#!/bin/bash
# 25-http.sh -- the HTTP interface: every route of src/server/routes.c with good
# and bad credentials and bodies (test/lib/http_checks.py), the clients of others
# (test/lib/dialects.py), requests made from doc/http/openapi.json, good and wrong
# (http_fuzz.py), that file against the code and what was seen (openapi.py), and
# the examples of doc/http.md with curl.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub --log-level 2 || exit 1
export VES_SEEN=$T/seen
described=$HERE/doc/http/openapi.json
lib http_checks "$URL" "$SEQ.admin-key" "$SEQ" "$HERE/src/server" "$HERE/doc/http.md" "$described" > checks 2>&1
code=$?
told checks
is "the checks ran to their end" $code 0
lib dialects "$URL" "$SEQ.admin-key" "$SEQ" "$described" > dialects 2>&1
code=$?
told dialects
is "the clients of others were done" $code 0
lib http_fuzz "$URL" "$SEQ.admin-key" "$described" "${VES_FUZZ_ROUNDS:-100}" "${VES_FUZZ_SEED:-1}" > fuzz 2>&1
code=$?
told fuzz
is "what the description does not allow was done" $code 0
lib openapi "$described" "$HERE/src/server" "$("$VES" --version | sed 's/.* //')" "$VES_SEEN" > description 2>&1
code=$?
told description
is "the description was compared" $code 0

# doc/http.md
join till.db
adjust till.db MUG 1
"$VES" sync --db till.db > /dev/null
ADMIN=$(cat "$SEQ.admin-key")
export ADMIN URL TENANT STORE
lib extract readme "$HERE/doc/http.md" > examples.sh
bash -eu examples.sh > examples.out 2> examples.err
is "the examples of doc/http.md run with curl" $? 0
[ ! -s examples.err ] || sed 's/^/# /' examples.err
is "all of them" "$(grep -cE '(^|until |<\()curl -s' examples.sh)" 14
like "and answer" "$(cat examples.out)" '"head_sequence":2'
like "down to the metrics" "$(cat examples.out)" "^sequencer_head_sequence.tenant=.$TENANT.,store=.$STORE.. 2$"

# doc/http/curl.md, on a stream of its own
STORE=$(cat /proc/sys/kernel/random/uuid)
lib extract readme "$HERE/doc/http/curl.md" > curl.sh
bash -eu curl.sh > curl.out 2> curl.err
is "the page of curl examples runs" $? 0
[ ! -s curl.err ] || sed 's/^/# /' curl.err
curled=$(cat curl.out)
is "two events are taken, and again" "$(grep -o '"eventsAccepted":2' curl.out | wc -l)" 2
like "a false one is refused" "$curled" '"reason":"invalid_payload_hash"'
like "a proof holds" "$curled" '"valid":true'
like "what is wrong is said" "$curled" 'query parameter limit.*400$'
like "to whom has no key" "$curled" '"missing_auth".*401$'

exits "a store that was joined takes no other sequencer's word" 1 "$VES" init --db till.db --server "$URL" --tenant "$TENANT" --store "$STORE" \
	--sequencer-key "$(printf 'ab%.0s' $(seq 32))" --api-key-file "$SEQ.admin-key"

# Over the body limit, with the length told before, and without.
head -c 10485761 /dev/zero | tr '\0' ' ' > big
post() { curl -s -m 20 -X POST -H "x-api-key: $ADMIN" "$@" "$URL/api/v1/ves/events/ingest"; }
is "a body over 10 MiB: 413" "$(json "$(post --data-binary @big)" '[d["code"], "10485760" in d["message"]]')" '["PAYLOAD_TOO_LARGE", true]'
is "in pieces, too" "$(post -H 'Transfer-Encoding: chunked' --data-binary @big -o /dev/null -w '%{http_code}')" 413
truncate -s -1 big
is "one byte less is read" "$(json "$(post --data-binary @big)" 'd["code"]')" INVALID_FIELD_VALUE

# Broken clients do not hurt the others.
printf 'GET /health HTTP/1.1\r\n' > half
(exec 3<> "/dev/tcp/${URL#http://}" 2> /dev/null) 2> /dev/null
host=${URL#http://} port=${host##*:} host=${host%:*}
for bytes in 'GET / HTTP/9.9\r\n\r\n' '\x16\x03\x01\x02\x00\x01' 'POST /api/v1/ves/events/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n' \
	'POST /api/v1/ves/events/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n' \
	'GET /health HTTP/1.1\r\nHost: x\r\nx-a: '"$(head -c 100000 /dev/zero | tr '\0' a)"'\r\n\r\n'; do
	exec 3<> "/dev/tcp/$host/$port"
	# The server may hang up first; the signal is for the subshell.
	(printf "$bytes" >&3) 2> /dev/null
	exec 3>&- 3<&-
done
is "broken requests leave the sequencer well" "$(curl -s -o /dev/null -w '%{http_code}' "$URL/health")" 200
curl -s -m 1 -o /dev/null -H "x-api-key: $ADMIN" -H 'Content-Length: 1000' -d '{' "$URL/api/v1/ves/events/ingest"
is "a client that goes away in the middle, too" "$(curl -s -o /dev/null -w '%{http_code}' "$URL/health")" 200
stop_server
check "the log is sound" lib check_log "$SEQ" till.db --signatures 10
audits "$SEQ"
done_testing
