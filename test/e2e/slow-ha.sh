#!/bin/bash
# slow-ha.sh -- the recipe of doc/high-availability.md: three PostgreSQL nodes
# under Patroni and etcd, synchronous replication, three sequencers behind
# HAProxy.  Each round kills the primary's node, a sequencer and the proxy with
# kill -9, under load; at the end the independent checker.  HA_ROUNDS: how many.
. "$(dirname "$0")/../lib/tap.sh"
HA_ROUNDS=${HA_ROUNDS:-2}
WHAT="high availability: PostgreSQL under Patroni, sequencers behind HAProxy"
PATH=$PATH:/usr/sbin
bin=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | sort -V | tail -n 1)
for part in patroni etcd haproxy setpriv psql curl; do
	command -v $part > /dev/null || { skip "$WHAT" "$part is not installed (apt-get install patroni etcd-server haproxy postgresql)"; done_testing; }
done
[ -x "$bin/postgres" ] && [ "$(id -u)" -eq 0 ] && id postgres > /dev/null 2>&1 ||
	{ skip "$WHAT" "it wants root, PostgreSQL and its user postgres (apt-get install postgresql)"; done_testing; }

# Databases in memory where there is room; the user postgres may look in.
D=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/ves-ha.XXXXXX")
chown postgres "$D"; chmod 755 "$D" "$T"
cd "$T" || exit 1
ha_end()
{
	local f
	touch stop over
	for f in "$D"/*.pid "$T"/*.pid; do [ -e "$f" ] && kill -9 "$(cat "$f")" 2> /dev/null; done
	for f in "$D"/n*/postmaster.pid; do
		[ -e "$f" ] && kill -9 $(pgrep -P "$(head -n 1 "$f")") "$(head -n 1 "$f")" 2> /dev/null
	done
	tap_end; rm -rf "$D"
}
trap ha_end EXIT

# By tries and not by the clock: a machine that stood still for a while is no
# reason to give up.
wait_for()
{
	local tries=$(($1 * 10))
	shift
	until "$@" > /dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# What is killed comes back at its port, which nobody who connects may have got
# meanwhile, not even to itself: all of them ask for each other all the time.
for port in ETCD PEER P1 P2 P3 R1 R2 R3 S1 S2 S3 HA; do free_port && printf -v $port %s "$FREE_PORT"; done
PG_PORTS=("" "$P1" "$P2" "$P3") REST=("" "$R1" "$R2" "$R3") SEQ_PORTS=("" "$S1" "$S2" "$S3")
DB="postgres://ves@127.0.0.1:$P1,127.0.0.1:$P2,127.0.0.1:$P3/postgres?connect_timeout=2"

# ---- the parts ----------------------------------------------------------------
etcd --data-dir "$D/etcd" --listen-client-urls "http://127.0.0.1:$ETCD" --advertise-client-urls "http://127.0.0.1:$ETCD" \
	--listen-peer-urls "http://127.0.0.1:$PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PEER" \
	--initial-cluster "default=http://127.0.0.1:$PEER" --log-level error > etcd.log 2>&1 &
echo $! > etcd.pid
disown

node_config()
{
	cat << END
scope: ves
name: n$1
restapi: {listen: "127.0.0.1:${REST[$1]}", connect_address: "127.0.0.1:${REST[$1]}"}
etcd3: {host: "127.0.0.1:$ETCD"}
bootstrap:
  dcs:
    ttl: 8
    loop_wait: 1
    retry_timeout: 3
    master_start_timeout: 0
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters: {synchronous_commit: "on", wal_log_hints: "on", max_connections: 60, shared_buffers: 16MB, wal_keep_size: 64MB}
  initdb: [{encoding: UTF8}, {locale: C}]
postgresql:
  listen: "127.0.0.1:${PG_PORTS[$1]}"
  connect_address: "127.0.0.1:${PG_PORTS[$1]}"
  data_dir: $D/n$1
  bin_dir: $bin
  basebackup: [{checkpoint: fast}]
  remove_data_directory_on_rewind_failure: true
  remove_data_directory_on_diverged_timelines: true
  authentication: {superuser: {username: ves}, replication: {username: rep}, rewind: {username: ves}}
  parameters: {unix_socket_directories: "$D"}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication rep 127.0.0.1/32 trust"]
END
}
start_node()
{
	HOME=$D setpriv --reuid postgres --regid postgres --init-groups -- patroni "$D/n$1.yml" >> "$D/n$1.log" 2>&1 &
	echo $! > "$D/n$1.pid"
	disown
}
rest() { curl -s -o /dev/null -m 2 -w '%{http_code}' "http://127.0.0.1:${REST[$1]}/$2"; }
primary() { local n; for n in 1 2 3; do [ "$(rest $n primary)" = 200 ] && { echo $n; return 0; }; done; return 1; }
has_primary() { primary > /dev/null; }
# All of them run, and one of the others is the synchronous one.
is_whole()
{
	local n p=0 r=0 s=0
	for n in 1 2 3; do
		[ "$(rest $n primary)" = 200 ] && p=$((p + 1))
		[ "$(rest $n replica)" = 200 ] && r=$((r + 1))
		[ "$(rest $n synchronous)" = 200 ] && s=$((s + 1))
	done
	[ $p = 1 ] && [ $r = 2 ] && [ $s -ge 1 ]
}
# And again whenever it ends, as systemd does it by our unit: one that starts
# while there is no primary gives up.
start_sequencer()
{
	(
		while [ ! -e over ]; do
			"$VES" serve --store "$DB" --signing-key seq.key --listen "127.0.0.1:${SEQ_PORTS[$1]}" >> "s$1.log" 2>&1 &
			echo $! > "s$1.pid"
			wait $!
			sleep 0.5
		done
	) > /dev/null 2>&1 &
	disown
}
cat > haproxy.cfg << END
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  option redispatch
  retries 3
  option httpchk GET /health
frontend in
  bind 127.0.0.1:$HA
  default_backend sequencers
backend sequencers
  balance roundrobin
  server s1 127.0.0.1:$S1 check inter 500
  server s2 127.0.0.1:$S2 check inter 500
  server s3 127.0.0.1:$S3 check inter 500
END
start_proxy() { haproxy -db -f haproxy.cfg >> haproxy.log 2>&1 & echo $! > haproxy.pid; disown; }
# end FILE -- kill -9 of what it names, and of its children.
end()
{
	local pid
	pid=$(cat "$1")
	# shellcheck disable=SC2046
	kill -9 "$pid" $(pgrep -P "$pid") 2> /dev/null
	rm -f "$1"
}
# All of its processes at once, as when the machine goes: nobody starts them
# again, nobody says good-bye.
end_node()
{
	local master patroni
	master=$(head -n 1 "$D/n$1/postmaster.pid") patroni=$(cat "$D/n$1.pid")
	# shellcheck disable=SC2046
	kill -9 "$patroni" $(pgrep -P "$patroni") "$master" $(pgrep -P "$master") 2> /dev/null
	rm -f "$D/n$1.pid"
}

for n in 1 2 3; do node_config $n > "$D/n$n.yml"; chown postgres "$D/n$n.yml"; done
start_node 1
wait_for 60 has_primary || { not_ok "Patroni makes a primary"; tail -n 20 "$D/n1.log" | sed 's/^/# /'; done_testing; }
start_node 2; start_node 3
check "three nodes, one of them synchronous" wait_for 90 is_whole || tail -n 5 "$D"/n?.log | sed 's/^/# /'
"$VES" admin init --store "$DB" --signing-key seq.key --admin-key-file seq.admin-key > init.log 2>&1 || { not_ok "admin init"; sed 's/^/# /' init.log; done_testing; }
for n in 1 2 3; do start_sequencer $n; done
start_proxy
URL=http://127.0.0.1:$HA SEQ=$T/seq
serves() { [ "$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$URL/health")" = 200 ]; }
check "three sequencers behind HAProxy serve" wait_for 60 serves || tail -n 5 s?.log | sed 's/^/# /'
STREAM_ARGS="--tenant $(cat /proc/sys/kernel/random/uuid) --store $(cat /proc/sys/kernel/random/uuid)"
join one.db; join two.db
[ -e one.db ] && [ -e two.db ] || { not_ok "stores join"; done_testing; }

# ---- load ---------------------------------------------------------------------
# till DB -- appends and pushes until told to stop; notes when an event was
# acknowledged.
till()
{
	local n=0
	while [ ! -e stop ]; do
		n=$((n + 1))
		"$VES" append --db "$1" inventory.adjusted "SKU-$((n % 5))" --payload "{\"delta\":-1,\"n\":$n}" > /dev/null 2>> till.log && echo x >> "$1.appended"
		if timeout 20 "$VES" push --db "$1" > "$1.push" 2>&1; then date +%s%N >> "$1.acks"; else sleep 0.1; fi
		[ $((n % 10)) -eq 0 ] && timeout 30 "$VES" pull --db "$1" >> "$1.log" 2>&1
	done
}
tills=()
for s in one two; do till $s.db & tills+=($!); done
acks() { cat one.db.acks two.db.acks 2> /dev/null | wc -l; }
more_than() { [ "$(acks)" -gt "$1" ]; }
wait_for 60 more_than 5 || not_ok "events are acknowledged before anything is killed"

echo "# set up in $SECONDS s"
for round in $(seq "$HA_ROUNDS"); do
	victim=$(primary) s=$((round % 3 + 1)) at=$(acks)
	began=$(date +%s%N)
	end_node "$victim"
	end "s$s.pid"
	end haproxy.pid
	start_proxy
	another() { local p; p=$(primary) && [ "$p" != "$victim" ]; }
	wait_for 60 another || not_ok "round $round: another primary"
	wait_for 60 more_than $((at + 6)) && ok "round $round: primary n$victim, sequencer s$s and the proxy killed, events are taken again" ||
		{ not_ok "round $round: events are taken again"; tail -n 3 s?.log one.db.push | sed 's/^/# /'; }
	start_node "$victim"
	[ "$round" = "$HA_ROUNDS" ] || wait_for 120 is_whole || { not_ok "round $round: the killed node comes back"; tail -n 8 "$D/n$victim.log" | sed 's/^/# /'; }
	echo "# round $round: longest time without an acknowledged event: $(python3 - "$began" << 'PY'
import sys
began = int(sys.argv[1])
acks = sorted(int(x) for n in ("one", "two") for x in open(n + ".db.acks"))
acks = [max([a for a in acks if a <= began] or [began])] + [a for a in acks if a > began]
print("%.1f s" % (max(b - a for a, b in zip(acks, acks[1:])) / 1e9))
PY
)"
done

# ---- what is left -------------------------------------------------------------
touch stop; wait "${tills[@]}"
settled=1
sync_all() { local s; for s in one two; do "$VES" sync --db $s.db >> sync.log 2>&1 || return 1; done; }
wait_for 60 sync_all && sync_all && settled=0
is "every store syncs" $settled 0 || tail -n 5 sync.log | sed 's/^/# /'
for s in one two; do
	is "$s: what was appended is there" "$(sqlite3 $s.db 'SELECT count(*) FROM ves_outbox')" "$(wc -l < $s.db.appended)"
done
p=$(primary)
PGPORT=${PG_PORTS[$p]} lib pg_hub 127.0.0.1 hub.db || not_ok "reading the database with psql"
check "an independent checker finds every acknowledged event once, in order, every receipt valid" lib check_log hub.db one.db two.db --settled --signatures 20
for s in one two; do check "$s is sound, its log proved" "$VES" doctor --db $s.db; done
echo "# $SECONDS s; $(acks) pushes acknowledged, $(sqlite3 hub.db 'SELECT count(*) FROM ves_events') events"
done_testing
