#!/bin/bash
# slow-soak.sh -- SOAK_S seconds (30) of everything at once for one sequencer,
# whose memory has to stand still (test/lib/soak.py).
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
lib soak "$URL" "$SEQ.admin-key" "$SERVER_PID" "${SOAK_S:-30}" > soak 2>&1
code=$?
told soak
is "the soak went on to its end" $code 0
is "the sequencer still serves" "$(curl -s -o /dev/null -w '%{http_code}' "$URL/health")" 200
stop_server
check "and its log is sound" lib check_log "$SEQ" --signatures 10
done_testing
