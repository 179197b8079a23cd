# tap.sh -- sourced by the end-to-end scripts: TAP, temporary folder, servers.
#
#   plan-less TAP: ok NAME, not_ok NAME, check NAME COMMAND..., skip NAME WHY
#   and done_testing at the end.  $T is a folder of the script's own that goes
#   away; processes started with bg are ended.  With TAP_STOP set a script ends
#   with the first that is not ok, which is all that tools/mutants asks.
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build/gcc}
VES=${VES:-$HERE/$BUILD/ves}
VES_SHARED=${VES_SHARED:-$HERE/../shared}
T=$(mktemp -d "${TMPDIR:-/tmp}/ves-e2e.XXXXXX") || exit 1
export VES T
unset VES_DB
# The system's own: version managers put slow wrappers before it.
PYTHON=$(PATH=/usr/bin:$PATH command -v python3)
python3() { "$PYTHON" -E "$@"; }
export PYTHONDONTWRITEBYTECODE=1
tap_count=0 tap_failed=0
tap_pids=()

tap_end()
{
	local p
	exec 2> /dev/null # bash would tell of every process that is ended
	for p in "${tap_pids[@]:-}"; do
		[ -n "$p" ] && kill -9 "$p" 2> /dev/null
	done
	wait 2> /dev/null
	rm -rf "$T"
}
trap tap_end EXIT

ok() { tap_count=$((tap_count + 1)); echo "ok $tap_count - $*"; }
not_ok()
{
	tap_count=$((tap_count + 1)) tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $*"
	[ -z "${TAP_STOP:-}" ] || exit 1
}
skip() { tap_count=$((tap_count + 1)); echo "ok $tap_count - $1 # SKIP ${2:-}"; }

# check NAME COMMAND... -- ok if the command succeeds; its output on failure.
check()
{
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$name"; else not_ok "$name"; echo "$out" | sed 's/^/# /'; fi
}

# is NAME GOT WANTED
is()
{
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1"; echo "#      got: $2"; echo "#   wanted: $3"; fi
}

# like NAME TEXT PATTERN -- extended regular expression
like()
{
	if grep -qE -- "$3" <<< "$2"; then ok "$1"; else not_ok "$1"; echo "#      got: $2"; echo "#  pattern: $3"; fi
}

# exits NAME CODE COMMAND... -- ok if the command ends with exactly that code.
exits()
{
	local name=$1 wanted=$2 out code
	shift 2
	out=$("$@" 2>&1)
	code=$?
	if [ $code -eq "$wanted" ]; then ok "$name"; else not_ok "$name (exit $code, wanted $wanted)"; echo "$out" | sed 's/^/# /'; fi
}

# json TEXT EXPRESSION -- a value out of a JSON document, with d the document.
# One Python answers all of a script's questions: starting it takes longer than
# most of what the scripts look at.
tap_asking=$(mktemp -d "${TMPDIR:-/tmp}/ves-json.XXXXXX") || exit 1
mkfifo "$tap_asking/ask" "$tap_asking/answer" || exit 1
exec {tap_ask}<> "$tap_asking/ask" {tap_answer}<> "$tap_asking/answer" {tap_turn}> "$tap_asking/turn"
rm -rf "$tap_asking"
"$PYTHON" -E -c '
import json, os, select, sys
script = os.getppid()
def items():
    rest = b""
    while True:
        # The pipe never ends, since this end is one that writes, too: when the
        # script was killed there is another parent.
        while not select.select([0], [], [], 2)[0]:
            if os.getppid() != script:
                return
        bytes = sys.stdin.buffer.raw.read(65536)
        if not bytes:
            return
        *whole, rest = (rest + bytes).split(b"\0")
        yield from whole
pending = items()
for document in pending:
    expression = next(pending)
    try:
        value = eval(expression.decode(), {"json": json, "d": json.loads(document)})
        answer = "0" + (value if isinstance(value, str) else json.dumps(value))
    except Exception as e:
        answer = "1%s: %s" % (type(e).__name__, e)
    sys.stdout.buffer.write(answer.encode("utf-8", "replace").replace(b"\0", b"?") + b"\0")
    sys.stdout.buffer.flush()
' <&"$tap_ask" >&"$tap_answer" 2> /dev/null &
tap_python=$!
tap_pids+=("$tap_python")
disown "$tap_python"
json()
{
	local answer
	flock "$tap_turn" # one question at a time, whoever runs beside
	kill -0 "$tap_python" 2> /dev/null && printf '%s\0%s\0' "$1" "$2" >&"$tap_ask" &&
		IFS= read -r -d '' answer <&"$tap_answer" || answer="1no answer"
	flock -u "$tap_turn"
	if [ "${answer:0:1}" = 0 ]; then printf '%s\n' "${answer:1}"; else
		printf 'json: %s\n' "${answer:1}" >&2
		return 1
	fi
}

# may_trace -- is there strace, and is it allowed to trace (not in every container)?
may_trace() { strace -o /dev/null true 2> /dev/null; }

# wait_for SECONDS COMMAND... -- until it succeeds.
wait_for()
{
	local until=$((SECONDS + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.05
	done
}

# free_port -- sets FREE_PORT to one to listen at, also after a restart: the
# kernel gives it to no connection, as it does those above, and no other script
# takes it while this one runs.
free_port()
{
	local folder=${TMPDIR:-/tmp}/ves-ports.$UID lock below
	mkdir -p -m 700 "$folder"
	read -r below _ < /proc/sys/net/ipv4/ip_local_port_range
	[ "$below" -gt 12000 ] || below=32768
	while :; do
		FREE_PORT=$((10000 + (RANDOM * 32768 + RANDOM) % (below - 10000)))
		exec {lock}> "$folder/$FREE_PORT"
		flock -n "$lock" && ! (exec 3<> "/dev/tcp/127.0.0.1/$FREE_PORT") 2> /dev/null && return
		exec {lock}>&-
	done
}

# start_server DB [OPTIONS...] -- a sequencer on a free loopback port; sets
# SERVER_PID and URL.  Its log is DB.log.
start_server()
{
	local db=$1 listen=${LISTEN:-}
	shift
	rm -f "$db.port"
	[ -n "$listen" ] || { free_port && listen=127.0.0.1:$FREE_PORT; }
	"$VES" serve --db "$db" --listen "$listen" --port-file "$db.port" "$@" >> "$db.log" 2>&1 &
	SERVER_PID=$!
	tap_pids+=("$SERVER_PID")
	wait_for 60 test -s "$db.port" || { echo "# server did not start:"; sed 's/^/# /' "$db.log"; return 1; }
	URL=http://$(cat "$db.port")
}

stop_server() { kill -TERM "$SERVER_PID" 2> /dev/null; wait "$SERVER_PID" 2> /dev/null; }

# join DB -- makes a store that belongs to the stream of $STREAM_ARGS.
join()
{
	local invite
	invite=$("$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" ${STREAM_ARGS:-} | tail -n 1) || return 1
	printf '%s\n' "$invite" | "$VES" init --db "$1" --invite - > /dev/null
}

# told FILE -- the lines of a checker
told()
{
	while IFS= read -r line; do
		case $line in
		"ok "*) ok "${line#ok }" ;;
		"not ok "*) not_ok "${line#not ok }" ;;
		*) echo "# $line" ;;
		esac
	done < "$1"
}

# new_hub [OPTIONS...] -- a fresh sequencer at $SEQ and one stream for every join
# after it.
new_hub()
{
	SEQ=$T/hub.db
	TENANT=$(cat /proc/sys/kernel/random/uuid) STORE=$(cat /proc/sys/kernel/random/uuid)
	STREAM_ARGS="--tenant $TENANT --store $STORE"
	start_server "$SEQ" "$@"
}

# store_is DB EXPRESSION -- a value of "ves status --json", d being the document.
store_is() { json "$("$VES" status --db "$1" --json)" "$2"; }

# on_hand DB SKU -- stock of one product as that store sees it.
on_hand() { json "$("$VES" entity --db "$1" inventory "$2" --json)" 'd["localState"]["on_hand"]'; }

# adjust DB SKU DELTA -- one stock change.
adjust() { "$VES" append --db "$1" inventory.adjusted "$2" --payload "{\"delta\":$3}" > /dev/null; }

# lib NAME ARGUMENTS... -- one of the independent checkers, test/lib/NAME.py.
lib()
{
	local name=$1
	shift
	python3 "$HERE/test/lib/$name.py" "$@"
}

# start_proxy MODE_FILE [ADMIN_KEY OTHER_STORE] -- a man in the middle before $URL
# (test/lib/proxy.py); sets PROXY, its URL.
start_proxy()
{
	"$PYTHON" -E "$HERE/test/lib/proxy.py" "$URL" "$1" "$T/proxy.port" "${@:2}" &
	tap_pids+=("$!")
	wait_for 60 test -s "$T/proxy.port" || return 1
	PROXY=http://$(cat "$T/proxy.port")
}

# audits FILE... -- an audit finds nothing wrong with any of these; what cannot be
# proven (exit 10) is no fault.
audits()
{
	local file out
	for file in "$@"; do
		out=$("$VES" audit "$file" --work "$T" 2>&1)
		case $? in
		0 | 10) ok "an audit of $file finds nothing wrong" ;;
		*) not_ok "an audit of $file finds nothing wrong"; grep -E '^(FAILED|  )' <<< "$out" | sed 's/^/#   /' | head -n 10 ;;
		esac
	done
}

done_testing()
{
	echo "1..$tap_count"
	[ $tap_failed -eq 0 ]
	exit $?
}
