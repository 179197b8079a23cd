#!/bin/bash
# slow-63-package.sh -- the Debian package in a throw-away root: installed, what its
# unit starts is started, backed up, upgraded, restored, removed, purged; the
# unit is looked at by systemd's own tools, the Containerfile by what it needs.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
leave() { skip "$1" "$2"; done_testing; }
command -v dpkg-deb > /dev/null && command -v dpkg > /dev/null || leave "Debian package" "no dpkg here"
case $BUILD in *address* | *thread* | *undefined* | *-cov*) leave "Debian package" "no package of a sanitizer's build" ;; esac
[ "$(id -u)" = 0 ] || leave "Debian package" "dpkg --root wants root"
dpkg --force-help | grep -q script-chrootless || leave "Debian package" "this dpkg runs no scripts without chroot"

R=$T/root
mkdir -p "$R"/var/lib/dpkg/{info,updates,triggers} "$R/etc" deb next
touch "$R"/var/lib/dpkg/{status,available}
in_root() { dpkg --root="$R" --log=/dev/null --force-script-chrootless --force-depends "$@"; }
chmod 711 "$T"

check "packages are made" env DEB_COMPRESSION="-Zgzip -z1" "$HERE/tools/make-deb" "$BUILD" 0.1.0 "$T/deb"
first=$(ls deb/ves_*.deb)
like "they name what is loaded when it is needed" "$(dpkg-deb -f "$first" Depends)" "libcurl4.*, libgnutls30.*, libjwt[0-9].*, libmicrohttpd12.*, libpq5"
is "headers are in the other one" "$(dpkg-deb -c "$first" | grep -c '\.h$') $(dpkg-deb -c deb/libves-dev_*.deb | grep -c '/include/ves/.*\.h$')" "0 $(find "$HERE/include/ves" -name '*.h' | grep -cvE '/(serve|mcp|bench|witness|audit)\.h$')"
check "it installs" in_root -i "$first"
like "with a user" "$(cat "$R/etc/passwd")" '^ves:.*:/usr/sbin/nologin$'
is "folders for secrets" "$(stat -c '%a' "$R/etc/ves/credentials" "$R/etc/ves/tls" | tr '\n' ' ')" "700 750 "
check "the service is enabled" test -L "$R/etc/systemd/system/multi-user.target.wants/ves.service"

# The unit, by those who read units.
unit=$R/usr/lib/systemd/system/ves.service
if command -v systemd-analyze > /dev/null; then
	sed "s|/usr/bin/ves|$R/usr/bin/ves|" "$unit" > ves.service
	check "systemd finds nothing wrong with the unit" bash -c 'out=$(systemd-analyze verify --man=no ./ves.service 2>&1); echo "$out"; ! grep ves.service <<< "$out"'
	check "and little exposed" systemd-analyze security --offline=yes --threshold=15 --no-pager ./ves.service
else
	skip "systemd's word on the unit" "no systemd-analyze here"
fi
skip "the unit is started by systemd" "not on a machine that is in use; its ExecStart is started below"

# start_unit -- what ExecStart says, in the root and, where that can be, as its user
uid=$(sed -n 's/^ves:[^:]*:\([0-9]*\):.*/\1/p' "$R/etc/passwd")
as="setpriv --reuid=$uid --regid=$uid --clear-groups --no-new-privs --"
start_unit()
{
	local folder
	for folder in $(sed -n 's/^StateDirectory=//p' "$unit"); do
		[ -d "$R/var/lib/$folder" ] || install -d -m 700 -o "$uid" -g "$uid" "$R/var/lib/$folder"
	done
	. "$R/etc/default/ves.sh"
	rm -f "$R/var/lib/ves/port"
	# shellcheck disable=SC2046,SC2086
	$as $filter $(sed -n 's/^ExecStart=//p' "$unit" | sed "s|\$VES_SERVE_OPTIONS|$VES_SERVE_OPTIONS|; s|/usr/bin/ves|$R&|; s|/var/lib/|$R&|g; s|--listen [^ ]*|--listen 127.0.0.1:0|") \
		--port-file "$R/var/lib/ves/port" >> serve.log 2>&1 &
	SERVER_PID=$!
	tap_pids+=("$SERVER_PID")
	wait_for 60 test -s "$R/var/lib/ves/port" || { sed 's/^/# /' serve.log; return 1; }
	URL=http://$(cat "$R/var/lib/ves/port")
}
# As systemd reads it: no quoting around the value.
sed -n "s/^\(VES_SERVE_OPTIONS\)=\(.*\)/\1='\2'/p" "$R/etc/default/ves" > "$R/etc/default/ves.sh"
$as test -x "$R/usr/bin/ves" 2> /dev/null || {
	as=
	skip "it runs as its own user" "that user cannot reach $T"
}
cp "$HERE/test/lib/under_filter.py" .
filter="$PYTHON -E $T/under_filter.py $unit $T/filter"
$filter true
if [ $? = 77 ]; then
	skip "it runs under the unit's filter of system calls" "no gcc, systemd-analyze or seccomp here"
	filter=
else
	chmod 644 filter under_filter.py
	exits "the filter of system calls lets a program run" 0 $as $filter true
	like "and none change its root" "$($filter chroot / true 2>&1)" "not permitted"
fi
export VES=$R/usr/bin/ves STATE=$R/var/lib/ves HEADS=$R/var/lib/ves-heads BACKUP=$T/backup PATH=$R/usr/bin:$PATH
start_unit && ok "what the unit starts, starts" || not_ok "what the unit starts, starts"
is "its files are its own" "$(stat -c %a "$STATE/hub.db" "$STATE/hub.db.key" "$STATE/hub.db.admin-key" | sort -u)" 600
[ -z "$as" ] || is "its user's" "$(stat -c %u "$STATE/hub.db" "$HEADS/heads" 2> /dev/null | sort -u)" "$uid"
SEQ=$STATE/hub.db
TENANT=$(cat /proc/sys/kernel/random/uuid) STORE=$(cat /proc/sys/kernel/random/uuid)
STREAM_ARGS="--tenant $TENANT --store $STORE"
invite=$($as "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" $STREAM_ARGS | tail -n 1)
printf '%s\n' "$invite" | "$VES" init --db till.db --invite - > /dev/null
adjust till.db MUG 1
check "a store syncs with it" "$VES" sync --db till.db
check "it is reloaded" bash -c "kill -HUP $SERVER_PID && curl -sf $URL/health"

# doc/operate.md
lib extract readme "$HERE/doc/operate.md" > blocks
sed -n '/== backup/,/== restore/p' blocks | grep -v '^echo' > do-backup
sed -n '/== restore/,$p' blocks | grep -v '^echo' > do-restore
check "a backup as the page has it" bash -eu do-backup
adjust till.db MUG 2
"$VES" sync --db till.db > /dev/null
signed_all() { [ "$(tail -n 1 "$HEADS/heads" | cut -d ' ' -f 2)" = "$(sqlite3 "$SEQ" 'SELECT count(*) FROM ves_events')" ]; }
check "heads are signed" wait_for 60 signed_all
events=$(sqlite3 "$SEQ" 'SELECT count(*) FROM ves_events')

# An upgrade, while settings were changed.
dpkg-deb -R "$first" next/tree
sed -i 's/^Version: .*/Version: 0.1.1/' next/tree/DEBIAN/control
echo "# of the next version" >> next/tree/etc/default/ves
dpkg-deb --root-owner-group -Zgzip -z1 -b next/tree next/ves.deb > /dev/null
echo "# mine" >> "$R/etc/default/ves"
stop_server
before=$(sqlite3 "$SEQ" 'SELECT count(*), max(sequence_number) FROM ves_events'; cat "$SEQ.key" "$SEQ.admin-key" | sha256sum)
check "an upgrade installs" in_root --force-confold -i next/ves.deb
is "what was sequenced and its keys are as they were" "$(sqlite3 "$SEQ" 'SELECT count(*), max(sequence_number) FROM ves_events'; cat "$SEQ.key" "$SEQ.admin-key" | sha256sum)" "$before"
like "and so are settings" "$(cat "$R/etc/default/ves")" "^# mine$"
start_unit && ok "it starts again" || not_ok "it starts again"
LISTEN=${URL#http://}
stop_server

# The disk is lost.
rm -rf "$STATE"
for folder in "$STATE" given; do install -d -m 700 -o "$uid" -g "$uid" "$folder"; done
"$VES" backup --db till.db given/till.db > /dev/null
chown "$uid:$uid" given/*
export STORES=$T/given/till.db AS=$as
check "a restore as the page has it" bash -eu do-restore
is "what was acknowledged after the backup is back" "$(sqlite3 "$SEQ" 'SELECT count(*) FROM ves_events')" "$events"
start_unit && ok "it serves again" || not_ok "it serves again"
stop_server

export VES=$HERE/$BUILD/ves
check "removed" in_root -r ves
check "the program is gone" test ! -e "$R/usr/bin/ves"
check "sales are not" test -s "$SEQ" -a -s "$SEQ.key" -a -s "$HEADS/heads"
rm "$R/etc/default/ves.sh"
said=$(in_root -P ves 2>&1)
is "purged" $? 0
like "that says what stays" "$said" "/var/lib/ves stays"
is "settings are gone" "$(find "$R/etc/default" "$R/etc/ves" "$R/etc/systemd" -type f -o -type l 2> /dev/null)" ""
check "sales are not, even then" test -s "$SEQ" -a -s "$SEQ.key" -a -s "$HEADS/heads"

# The container.
like "the container is built from what ./run needs" "$(grep -o 'recommends gcc.*' "$HERE/packaging/Containerfile" | head -n 1)" "recommends $(sed -n 's/^build_pkgs="\(.*\)"/\1/p' "$HERE/run")$"
if command -v podman > /dev/null; then engine=podman; elif command -v buildah > /dev/null; then engine=buildah; else engine=; fi
if [ -n "$engine" ] && [ -n "${VES_CONTAINER:-}" ]; then
	check "the container builds" "$engine" build -f "$HERE/packaging/Containerfile" -t ves-test "$HERE"
else
	skip "the container builds" "${engine:+VES_CONTAINER is not set}${engine:-no podman or buildah here}"
fi
done_testing
