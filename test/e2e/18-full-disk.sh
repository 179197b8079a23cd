#!/bin/bash
# 18-full-disk.sh -- no space left: a clear error, nothing lost, and on it goes
# once there is space.  On small file systems of its own where one may mount
# them (a mount namespace), else with a limit on the size of files.
if [ -z "${FULL_DISK:-}" ]; then
	export FULL_DISK=limit
	for how in "unshare -m" "unshare -rm"; do
		if $how sh -c 'mount -t tmpfs -o size=1m none /mnt' 2> /dev/null; then
			FULL_DISK=mount exec $how bash "$0"
		fi
	done
fi
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
echo "# with a $FULL_DISK"
limit=

# disk NAME -- a folder that can become full.
disk()
{
	mkdir "$1"
	[ $FULL_DISK = limit ] || mount -t tmpfs -o size=6m none "$1" || exit 1
}
# fill NAME, free NAME
fill()
{
	if [ $FULL_DISK = mount ]; then
		dd if=/dev/zero of="$1/filler" bs=64k 2> /dev/null
		truncate -s -"${2:-196608}" "$1/filler"
	else
		limit=$(($(stat -c %s "$1"/*.db | sort -n | tail -n 1) / 1024 + ${2:-196608} / 1024))
		[ "$1" != hub ] || prlimit --pid "$SERVER_PID" --fsize=$((limit * 1024)):unlimited
	fi
}
free()
{
	rm -f "$1/filler"
	limit=
	[ $FULL_DISK = mount ] || [ "$1" != hub ] || prlimit --pid "$SERVER_PID" --fsize=unlimited
}
ves() { (trap '' XFSZ; [ -z "$limit" ] || ulimit -S -f "$limit"; exec "$VES" "$@"); }
export -f ves

disk till
disk hub
trap '' XFSZ # the server inherits it
SEQ=$T/hub/hub.db
TENANT=$(cat /proc/sys/kernel/random/uuid) STORE=$(cat /proc/sys/kernel/random/uuid)
STREAM_ARGS="--tenant $TENANT --store $STORE"
start_server "$SEQ" || exit 1
trap - XFSZ
join till/till.db
join office.db
for i in 1 2 3; do adjust till/till.db MUG 1; done
ves sync --db till/till.db > /dev/null || not_ok "the first sync"

# ---- the till's disk
python3 -c 'print("{\"note\":\"%s\"}" % ("x" * 20000))' > big.json
fill till
ids=0
for i in $(seq 60); do
	ves append --db till/till.db note.written "N-$i" --payload @big.json > out 2> err || break
	ids=$((ids + 1))
done
is "appending ends with an error once the disk is full (after $ids)" "$([ $ids -lt 60 ] && echo yes)" yes
like "which names the disk" "$(cat err)" "([Ff]ull|space|disk)"
is "and has told no id" "$(cat out)" ""
is "every event whose id was told is there, no other" "$(sqlite3 -readonly till/till.db "SELECT count(*) FROM ves_outbox" 2> /dev/null || ves status --db till/till.db --json | python3 -c 'import sys,json; print(sum(json.load(sys.stdin)["counts"].values()))')" $((ids + 3))
exits "what can be read can be read" 0 ves status --db till/till.db
for i in $(seq 30); do "$VES" append --db office.db note.written "O-$i" --payload @big.json > /dev/null; done
"$VES" sync --db office.db > /dev/null || not_ok "the office's disk is not full"
cursor=$(sqlite3 -readonly till/till.db "SELECT count(*) FROM ves_events" 2> /dev/null)
ves sync --db till/till.db > out 2> err
code=$?
is "a sync on the full disk fails (exit 1)" $code 1
like "and says why" "$(cat err)" "([Ff]ull|space|disk)"
free till
is "what was applied is whole pages" "$(($(sqlite3 till/till.db "SELECT count(*) FROM ves_events") >= cursor))" 1
exits "the store agrees with itself" 0 ves doctor --db till/till.db
check "with space again it syncs" ves sync --db till/till.db
is "everything is synced" "$(store_is till/till.db '[d["counts"]["synced"], d["counts"]["pending"], d["health"]]')" "[$((ids + 3)), 0, \"healthy\"]"
ves append --db till/till.db note.written AFTER --payload '{}' > /dev/null && ok "and appends" || not_ok "and appends"

# ---- the sequencer's disk
"$VES" sync --db office.db > /dev/null
fill hub 65536
before=$(sqlite3 -readonly "$SEQ" "SELECT count(*) FROM ves_events" 2> /dev/null)
for i in $(seq 25); do "$VES" append --db office.db note.written "P-$i" --payload @big.json > /dev/null; done
"$VES" push --db office.db > out 2> err
code=$?
is "a push to a sequencer that is full: not reached (exit 4)" $code 4
like "the till hears that it should try later" "$(cat err)" "(busy|later|HTTP 503)"
is "its events are still pending" "$(store_is office.db '[d["counts"]["pending"], d["counts"]["failed"]]')" "[25, 0]"
is "the sequencer still answers" "$(curl -s -o /dev/null -w '%{http_code}' "$URL/health")" 200
is "and gives what it has" "$(curl -s -H "x-api-key: $(cat office.db.credential)" "$URL/api/v1/ves/head?tenant_id=$TENANT&store_id=$STORE")" "{\"head_sequence\":$before}"
like "its log tells of it" "$(cat "$SEQ.log" 2> /dev/null | tail -n 5)" "([Ff]ull|space|disk|SQLITE)"
free hub
check "with space again the same push goes through, without a restart" "$VES" sync --db office.db
check "the till sends what it had meanwhile and sees all of it" ves sync --db till/till.db
"$VES" sync --db office.db > /dev/null
stop_server
start_server "$SEQ"
is "after a restart the head is the same" "$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_events")" $((before + 26))
check "an independent checker agrees" lib check_log "$SEQ" till/till.db office.db --settled
stop_server
cd /
[ $FULL_DISK = limit ] || umount "$T/till" "$T/hub"
done_testing
