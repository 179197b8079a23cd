#!/bin/bash
# 10-session.sh -- what README.md and the man pages tell people to type, run as
# it stands.  Only the folder and the port are others, and build/ is a folder
# of links to what is tested.
. "$(dirname "$0")/../lib/tap.sh"
mkdir -p "$T/copy/build" && cd "$T/copy" || exit 1
ln -s "$VES" build/ves
[ -e "$HERE/$BUILD/ves.so" ] && ln -s "$HERE/$BUILD/ves.so" build/ves.so

free_port
port=$FREE_PORT
lib extract readme "$HERE/README.md" | sed "s|/tmp/ves-first|$T/first|g; s|127.0.0.1:18080|127.0.0.1:$port|g" > session.sh
is "README.md has its marked blocks" "$(grep -c '^echo .== ' session.sh)" "$(grep -c '^<!-- test: ' "$HERE/README.md")"
if [ ! -e build/ves.so ]; then
	skip "the README's block with the SQLite extension" "$BUILD/ves.so is not built (sanitizers)"
	sed -i '/^echo .== extension/,$d' session.sh
fi
# After the session its server goes away; in the extension's block nobody needs it.
bash -eux session.sh > session.out 2> session.err < /dev/null
code=$?
is "the README's session runs to its end" $code 0
[ $code -eq 0 ] || sed 's/^/# /' session.out session.err
like "a new stream is announced in the invitation's second last line" "$(cat "$T/first/invitation")" "^ves1\."
like "sync says what it did" "$(cat session.out)" "pushed 2, pulled 4, acknowledged 2; 0 remain"
like "the office shows the order" "$(cat session.out)" '^order ORD-1, version 1'
like "and the log" "$(cat session.out)" "applied +[0-9a-f-]{36}  order.created +ORD-1"
like "why explains" "$(cat session.out)" "^Done. The sequencer has it as number"
if [ -e build/ves.so ]; then
	like "the extension returned an event id" "$(sed -n '/^== extension/,$p' session.out)" '^[0-9a-f]{8}-[0-9a-f]{4}-7'
	like "and the entity with the pending event" "$(cat session.out)" '"pending":1'
	is "the business row and the event are both there" "$(sqlite3 "$T/first/till.db" "SELECT (SELECT cents FROM sales WHERE id = 'S-1') || ' ' || (SELECT status FROM ves_outbox_view WHERE entity_id = 'S-1')")" "450 pending"
fi
[ -e "$T/first/hub.db" ] && check "the log is sound" lib check_log "$T/first/hub.db" "$T/first/till.db" "$T/first/office.db"

# Blocks marked as JSON are JSON, and what they start is a command of ours.
python3 - "$HERE"/README.md "$HERE"/doc/*.md > "$T/json.out" 2>&1 << 'PY'
import json, re, sys
read = 0
for path in sys.argv[1:]:
    for block in re.findall(r"```json\n(.*?)```", open(path, encoding="utf-8").read(), re.S):
        document = json.loads(block)
        for servers in document.values():
            for server in servers.values():
                assert (server["command"], server["args"][0]) == ("ves", "mcp"), path
        read += 1
print(read)
PY
is "the JSON in the documents is what it says" "$(cat "$T/json.out")" "$(cat "$HERE"/README.md "$HERE"/doc/*.md | grep -c '^```json')"

# Man pages.
mkdir "$T/man" && cd "$T/man" || exit 1
export PATH=$T/copy/build:$PATH
new_hub || exit 1
"$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" | tail -n 1 > invitation
lib extract man "$HERE/man/ves.1" > ves.1.sh
bash -eux ves.1.sh > out 2> err
is "ves(1) EXAMPLES run" $? 0
[ -s out ] || sed 's/^/# /' err
is "and end with a status document" "$(json "$(tail -n 1 out)" 'd["counts"]["synced"]')" 1
if command -v mandoc > /dev/null; then
	for page in "$HERE"/man/*.[138]; do
		check "$(basename "$page") is well-formed" mandoc -Tlint -Wwarning "$page"
	done
else
	skip "the man pages are well-formed" "mandoc is not installed"
fi
done_testing
