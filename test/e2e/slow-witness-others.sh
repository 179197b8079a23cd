#!/bin/bash
# slow-witness-others.sh -- a witness that others wrote (litewitness): it answers
# as ours does, and cosigns what our sequencer signs.
. "$(dirname "$0")/../lib/tap.sh"
cd "$HERE" || exit 1
if ! why=$(tools/get-torchwood 2>&1); then
	skip "another's witness answers as ours, and cosigns our log" "NOT CHECKED: $why"
	done_testing
fi
if ! command -v ssh-agent > /dev/null || ! command -v ssh-keygen > /dev/null; then
	skip "another's witness answers as ours, and cosigns our log" "NOT CHECKED: there is no ssh-agent (package openssh-client)"
	done_testing
fi
BIN=$HERE/build/torchwood/usr/bin
D=$T/files
mkdir -p "$D"
check "the requests are written" "$BUILD/attack-files" "$D"

# Theirs.
ssh-keygen -q -t ed25519 -N '' -f "$T/id" > /dev/null
ssh-agent -D -a "$T/agent.sock" > /dev/null 2>&1 &
tap_pids+=("$!")
wait_for 60 test -S "$T/agent.sock"
SSH_AUTH_SOCK=$T/agent.sock ssh-add -q "$T/id" 2> /dev/null
FINGERPRINT=$(ssh-keygen -l -f "$T/id.pub" | cut -d ' ' -f 2)
# learn_log ORIGIN VKEY
learn_log()
{
	"$BIN/witnessctl" add-log -db "$T/lw.db" -origin "$1" > /dev/null 2>> "$T/lw.log" &&
		"$BIN/witnessctl" add-key -db "$T/lw.db" -origin "$1" -key "$2" > /dev/null 2>> "$T/lw.log"
}
start_theirs()
{
	"$BIN/litewitness" -db "$T/lw.db" -name theirs.example -key "$FINGERPRINT" -ssh-agent "$T/agent.sock" -listen "127.0.0.1:$1" >> "$T/lw.log" 2>&1 &
	THEIR_PID=$!
	tap_pids+=("$THEIR_PID")
	wait_for 60 curl -s --noproxy '*' -o /dev/null "http://127.0.0.1:$1/" || { sed 's/^/# /' "$T/lw.log" | tail -5; return 1; }
}
VKEY=$(sed -n 's/^log //p' "$D/logs")
check "it is told of the log" learn_log "${VKEY%%+*}" "$VKEY"
free_port
PORT=$FREE_PORT
start_theirs "$PORT" || { not_ok "litewitness listens"; done_testing; }
THEIRS=http://127.0.0.1:$PORT

# Ours.
"$VES" witness --dir "$T/w" --logs "$D/logs" --name ours.example --listen 127.0.0.1:0 --port-file "$T/w.port" > "$T/w.vkey" 2> "$T/w.log" &
tap_pids+=("$!")
wait_for 60 test -s "$T/w.port"
OURS=http://$(cat "$T/w.port")

# Requests that are wrong in one way each, from those that are right.
python3 - "$D" <<'PY'
import sys
d = sys.argv[1] + "/"
first = open(d + "add-0-9", "rb").read()
grown = open(d + "add-9-15", "rb").read()
def put(name, data): open(d + name, "wb").write(data)
head, note = grown.split(b"\n\n", 1)
lines = head.split(b"\n")
put("empty", b"")
put("no-old", grown.replace(b"old 9\n", b"", 1))
put("old-signed", grown.replace(b"old 9", b"old +9", 1))
put("old-larger", grown.replace(b"old 9", b"old 99", 1))
put("old-other", grown.replace(b"old 9", b"old 8", 1))
put("no-proof", lines[0] + b"\n\n" + note)
put("short-proof", b"\n".join(lines[:-1]) + b"\n\n" + note)
put("long-proof", head + b"\n" + lines[-1] + b"\n\n" + note)
put("bad-base64", grown.replace(lines[1], lines[1][:-2] + b"!=", 1))
put("other-hash", grown.replace(lines[1], b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1))
put("64-hashes", lines[0] + b"\n" + (lines[1] + b"\n") * 64 + b"\n" + note)
put("proof-from-0", first.replace(b"old 0\n", b"old 0\n" + lines[1] + b"\n", 1))
put("unsigned", head + b"\n\n" + note.split(b"\n\n")[0] + b"\n\n")
at = note.rindex(b" ") + 20
put("bad-signature", head + b"\n\n" + note[:at] + (b"A" if note[at:at+1] != b"A" else b"B") + note[at + 1:])
put("other-origin", head + b"\n\n" + b"other.example/log\n" + note.split(b"\n", 1)[1])
put("other-key", head + b"\n\n" + note.replace(note.split(b"\n\n")[1].split(b" ")[1], b"other.example/key"))
PY

# ask URL FILE -- prints the status; the body in $T/body.
ask() { curl -s --noproxy '*' -o "$T/body" -w '%{http_code}' --data-binary "@$D/$2" "$1/add-checkpoint"; }
# same FILE [ALLOWED] -- both answer alike; ALLOWED is theirs:ours where they may differ.
same()
{
	local theirs ours
	theirs=$(ask "$THEIRS" "$1")
	cp "$T/body" "$T/their-body"
	ours=$(ask "$OURS" "$1")
	if [ "${2:-}" = "$theirs:$ours" ]; then
		ok "$1: $ours, theirs $theirs, as known"
	else
		is "$1: $ours" "$ours" "$theirs"
	fi
	if [ "$ours" = 409 ]; then is "$1: and the same size" "$(cat "$T/body")" "$(cat "$T/their-body")"; fi
}
same empty
# Where they are more lenient than the specification, or stumble, we do not.
same proof-from-0 200:422
is "first checkpoint" "$(ask "$OURS" add-0-9)" 200
for file in no-old old-larger old-other no-proof short-proof long-proof bad-base64 other-hash 64-hashes bad-signature other-origin other-key fork-9-9 fork-9-15 add-9-15 add-9-15 add-0-9 fork-9-15; do
	same $file
done
same unsigned 500:400
same old-signed 409:400

# Our sequencer and their witness.
free_port
LISTEN=127.0.0.1:$FREE_PORT
new_hub --log-host shop.example || { not_ok "a sequencer"; done_testing; }
join "$T/till.db"
adjust "$T/till.db" A 5
check "a push" "$VES" push --db "$T/till.db"
fetch() { curl -s --noproxy '*' -H "x-api-key: $(cat "$SEQ.admin-key")" "$URL$1"; }
doc=$(fetch "/api/v1/ves/log?tenant_id=$TENANT&store_id=$STORE")
ORIGIN=$(json "$doc" 'd["origin"]') LOG_VKEY=$(json "$doc" 'd["vkeys"][0]') PREFIX=$(json "$doc" 'd["prefix"]')
stop_server
kill "$THEIR_PID"
wait "$THEIR_PID" 2> /dev/null
check "their witness is told of our log" learn_log "$ORIGIN" "$LOG_VKEY"
start_theirs "$PORT" || { not_ok "litewitness listens again"; done_testing; }
THEIR_KEY=$(python3 - "$T/id.pub" <<'PY'
import base64, hashlib, struct, sys
blob = base64.b64decode(open(sys.argv[1]).read().split()[1])
key = b"\4" + blob[-32:]
name = "theirs.example"
print("%s+%s+%s" % (name, hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[:8], base64.b64encode(key).decode()))
PY
)
printf 'witness theirs %s %s\nquorum theirs\n' "$THEIR_KEY" "$THEIRS" > "$T/policy"
start_server "$SEQ" --witness-policy "$T/policy" || { not_ok "a sequencer that asks it"; done_testing; }
# cosigned_beyond SIZE -- one answer holds both: a head larger than SIZE, and their line; it is kept in $T/head.
cosigned_beyond() { fetch "$PREFIX/checkpoint" > "$T/head" && grep -q '^— theirs\.example ' "$T/head" && [ "$(sed -n 2p "$T/head")" -gt "$1" ]; }
check "their witness cosigns our head" wait_for 60 cosigned_beyond 0
FIRST=$(sed -n 2p "$T/head")
adjust "$T/till.db" A 5
check "another push" "$VES" push --db "$T/till.db"
check "and cosigns what grew from it" wait_for 60 cosigned_beyond "$FIRST"

# A third party's verifier takes the head with its line.
echo "$LOG_VKEY" > "$T/head.vkey"
modules=$HERE/build/sigstore/node_modules
NODE=${VES_NODE:-$(command -v node)}
if ! why=$(tools/get-sigstore 2>&1); then
	skip "@sigstore/verify takes the cosigned head" "NOT CHECKED: $why"
elif ! "$NODE" -e 'require(process.argv[1] + "/@sigstore/verify/dist/tlog/merkle.js")' "$modules" 2> /dev/null; then
	skip "@sigstore/verify takes the cosigned head" "NOT CHECKED: $NODE cannot load it (Node 20 or later can)"
else
	check "@sigstore/verify takes the cosigned head" "$NODE" test/interop/head.cjs "$modules" "$T/head" "$T/head.vkey"
	sed 's/^[0-9]*$/1/' "$T/head" > "$T/other-head"
	exits "and not with another size" 1 "$NODE" test/interop/head.cjs "$modules" "$T/other-head" "$T/head.vkey"
fi
done_testing
