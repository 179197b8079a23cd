#!/bin/bash
# 30-compat.sh -- the files of every version before this one (test/compat, made
# by tools/make-compat) open, upgrade, verify and go on.
. "$(dirname "$0")/../lib/tap.sh"

# Sequencers' addresses are in the files: one of these scripts at a time.
exec {turn}> "${TMPDIR:-/tmp}/ves-compat.$UID" && flock -w 300 "$turn" || exit 1
for folder in "$HERE"/test/compat/*/; do
	name=$(basename "$folder")
	[ -s "$folder/expected" ] || { not_ok "$name has a file \"expected\""; continue; }
	expected() { sed -n "s/^$1 //p" "$folder/expected"; }
	dir=$T/$name
	mkdir "$dir"
	cp "$folder"/* "$dir/"
	gunzip "$dir"/*.gz
	# What git does not keep.
	chmod 600 "$dir"/*
	till=$dir/till.db SEQ=$dir/hub.db

	# The store alone, without a network.
	is "$name: the state is what it was" "$(store_is "$till" 'd["stateHash"]')" "$(expected state_hash)"
	is "$name: at the same number" "$(store_is "$till" 'd["stateAtSequence"]')" "$(expected at_sequence)"
	is "$name: pending events are there" "$(store_is "$till" 'd["counts"]["pending"]')" "$(expected pending)"
	is "$name: synced ones too" "$(store_is "$till" 'd["counts"]["synced"]')" "$(expected synced)"
	check "$name: the doctor finds nothing wrong" "$VES" doctor --db "$till"
	is "$name: settings are kept" "$(json "$("$VES" settings --db "$till" --json)" 'd["settings"]["batchSize"]')" 7
	"$VES" append --db "$till" weather.measured W-9 --payload '{"degrees":1}' > /dev/null
	is "$name: its agent can sign" "$(store_is "$till" 'd["counts"]["pending"]')" $(($(expected pending) + 1))

	# The sequencer goes on where it stood, with the same keys; those that its
	# log does not have yet are entered.
	missing=$((2 - $(sqlite3 "$SEQ" "SELECT count(*) FROM ves_events WHERE envelope LIKE '%\"ves.key.registered\"%'")))
	LISTEN=$(expected address) start_server "$SEQ" || { not_ok "$name: the sequencer serves"; continue; }
	ok "$name: the sequencer serves"
	check "$name: the store syncs with it" "$VES" sync --db "$till"
	is "$name: the state after that is what it became then" "$(store_is "$till" 'd["stateHash"]')" "$(expected after_state_hash)"
	is "$name: one number further on, and $missing keys entered" "$(store_is "$till" 'd["stateAtSequence"]')" $(($(expected after_at_sequence) + 1 + missing))
	is "$name: nothing is left to send" "$(store_is "$till" 'd["counts"]["pending"] + d["counts"]["syncing"]')" 0
	check "$name: the doctor still finds nothing wrong" "$VES" doctor --db "$till"
	STREAM_ARGS="--tenant 11111111-1111-4111-8111-111111111111 --store 22222222-2222-4222-8222-222222222222"
	check "$name: a store of today joins" join "$dir/new.db"
	check "$name: and pulls all of it" "$VES" sync --db "$dir/new.db"
	is "$name: to the same state" "$(store_is "$dir/new.db" 'd["stateHash"]')" "$(expected after_state_hash)"
	check "$name: an independent checker finds the log sound" lib check_log "$SEQ" "$till" "$dir/new.db"
	stop_server
done
done_testing
