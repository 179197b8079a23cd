#!/bin/bash
# 12-cli.sh -- the command line: help, exit codes, documents, signals.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join till.db
join office.db
commands=$("$VES" --help | sed -n 's/^  \([a-z]*\)  *.*/\1/p')
like "ves --version" "$("$VES" --version)" '^ves [0-9]+\.[0-9]+\.[0-9]+$'

# ---- help and usage
is "ves --help lists every command of the issue" \
	"$(for c in init append import push pull ack sync retry status outbox show log trail entity keys settings quarantine doctor why backup prune serve admin bench; do
		grep -qx $c <<< "$commands" || echo "$c is missing"
	done)" ""
bad=
for c in $commands; do
	help=$("$VES" "$c" --help) || bad="$bad $c: exit $?"
	grep -q "^usage: ves $c " <<< "$help" || bad="$bad $c: no usage line"
	grep -q -- "--help " <<< "$help" || bad="$bad $c: no --help"
	case $c in serve | admin | bench | mcp | witness) ;; *)
		grep -q -- "--json " <<< "$help" || bad="$bad $c: no --json" ;; esac
	"$VES" "$c" --no-such-option > out 2> err
	[ $? -eq 2 ] || bad="$bad $c: an unknown option is no usage error"
	grep -q -- "--no-such-option" err || bad="$bad $c: does not name the option"
	[ ! -s out ] || bad="$bad $c: complains on standard output"
	if grep -q -- "^  --json " <<< "$help"; then
		"$VES" "$c" --no-such-option --json 2>&1 > /dev/null | grep -q '^{"error":' || bad="$bad $c: complains without JSON"
	fi
	! grep -qE '.{80}' <<< "$help" && ! grep -qE '.{80}' err || bad="$bad $c: wider than a terminal"
done
is "every command explains itself and refuses what it does not know" "$bad" ""
exits "ves alone is a usage error" 2 "$VES"
exits "an unknown command is a usage error" 2 "$VES" frobnicate
like "a near miss is guessed" "$("$VES" stauts 2>&1)" "did you mean status"
for c in verify audit witness prove; do
	grep -qx $c <<< "$commands" || like "$c is kept for later" "$("$VES" $c 2>&1)" "not in this version"
done
like "of a second word, too" "$("$VES" admin frobnicate 2>&1)" "no such act: frobnicate"
exits "an argument too many" 2 "$VES" status --db till.db more
exits "an argument too few" 2 "$VES" entity --db till.db order
exits "no payload" 2 "$VES" append --db till.db order.created A-1
exits "a number that is none" 2 "$VES" log --db till.db --limit many
exits "an id that is none" 2 "$VES" why --db till.db 123
check "options may follow arguments" "$VES" append order.created A-1 --db till.db --payload '{"currency":"GBP","lines":[]}'

exits "a word that is none" 2 "$VES" outbox --db till.db --status nope
like "the words are named" "$("$VES" conflicts --db till.db --state nope 2>&1)" 'takes open, resolved or all, not "nope"'
exits "half an entity" 2 "$VES" conflicts --db till.db --entity ""
like "--since says what it takes" "$("$VES" pull --db till.db --since nope 2>&1)" "the id of an event or a sequence number"
mkdir folder
like "a folder is no store" "$("$VES" status --db folder 2>&1)" "folder is not a file.*--db"
like "a file that is not there: nothing was changed" "$("$VES" append --db till.db order.created A-1 --payload @nothing 2>&1)" "nothing was changed"

# What a terminal would obey, and what is no UTF-8, is spelt out.
like "in errors" "$("$VES" status --db "$(printf 'a\233\033\302\233\342\200\217.db')" 2>&1)" 'a.x9b.u001b.u009b.u200f.db'
like "in complaints" "$("$VES" "$(printf 'st\033[31m')" 2>&1)" 'no command "st.u001b.31m"'
"$VES" append --db till.db order.created "$(printf 'B-\342\200\256\342\200\216\357\273\277')" --payload "$(printf '{"currency":"GBP","lines":[],"note":"\303\251\342\200\256"}')" > bidi
lib on_terminal "$VES" show --db till.db "$(cat bidi)" > shown
like "in documents on a terminal" "$(cat shown)" 'B-.u202e.u200e.ufeff'
like "other letters stay" "$(cat shown)" "$(printf 'note": "\303\251')"
is "show puts a member on a line" "$(grep -c '^  "status": "pending",' shown)" 1

# completion
# shellcheck disable=SC1091
complete_words()
{
	PATH=$T/bin:$PATH bash -c '. "$0"; COMP_WORDS=("${@}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ves; printf "%s\n" "${COMPREPLY[@]}"' \
		"$HERE/app/completion/ves.bash" "$@"
}
mkdir bin && ln -s "$VES" bin/ves
is "bash completes every command" "$(complete_words ves "" | grep -v '^--' | sort | tr '\n' ' ')" "$(sort <<< "$commands" | tr '\n' ' ')"
is "and what a command begins with" "$(complete_words ves qua)" quarantine
is "and options" "$(complete_words ves outbox --st)" --status
is "and statuses" "$(complete_words ves outbox --status f)" failed

# zsh is not everywhere; what its completion makes of --help is.
options=$(sed -n "s/.*--help | sed -n '\(.*(--.*\)')\"})\$/\1/p" "$HERE/app/completion/_ves")
for c in $commands; do
	diff <("$VES" "$c" --help | sed -n 's/^  \(--[a-z0-9-]*\).*/\1/p') <("$VES" "$c" --help | sed -n "$options" | grep -E '^--[a-z0-9-]+:[^ ]' | cut -d: -f1) || echo "$c"
done > zsh.out 2>&1
is "zsh completes every option, with its words" "$options $(cat zsh.out)" "$options "
is "from a rule that is there" "${options:0:2}" "s/"

# ---- exit codes
exits "0: done" 0 "$VES" status --db till.db
exits "1: failed (no store there)" 1 "$VES" status --db nothing.db
like "which says what to type next" "$("$VES" status --db nothing.db 2>&1)" "ves init"
[ ! -e nothing.db ] && ok "and makes no file" || not_ok "and makes no file"
exits "1: failed (a payload that is no JSON)" 1 "$VES" append --db till.db order.created A-2 --payload '{"a":1,}'
like "with the place" "$("$VES" append --db till.db order.created A-2 --payload '{"a":1,"a":2}' 2>&1)" "[0-9]"
like "_ves is the library's own" "$("$VES" append --db till.db order.created A-2 --payload '{"_ves":{}}' 2>&1)" "_ves"
exits "a system's type is refused" 1 "$VES" append --db till.db ves.note X --payload '{}'
VES_DB=till.db check "VES_DB names the store" "$VES" status
(mkdir here && cp till.db here/ves.db && cd here && "$VES" status) > out 2>&1
is "./ves.db is the store when nothing else is said" $? 0
exits "4: unreachable" 4 bash -c 'cp till.db gone.db; cp till.db.credential gone.db.credential; cp till.db.key gone.db.key
	sqlite3 gone.db "UPDATE ves_meta SET value = '"'http://127.0.0.1:9'"' WHERE name = '"'url'"' OR value LIKE '"'http:%'"'"; "$VES" sync --db gone.db'
command=$(cat /proc/sys/kernel/random/uuid)
"$VES" append --db till.db order.created CMD-1 --payload '{"currency":"GBP","lines":[]}' --command-id "$command" > taken
refused=$("$VES" append --db till.db order.created CMD-2 --payload '{"currency":"GBP","lines":[]}' --command-id "$command")
exits "3: done in part" 3 "$VES" push --db till.db
is "the refused event is failed" "$(json "$("$VES" show --db till.db "$refused" --json)" 'd["status"]')" failed
like "why: failed" "$("$VES" why --db till.db "$refused")" "refused it, and signed.*duplicate_command_id"
exits "a sync that leaves an event refused before is done in part" 3 "$VES" sync --db till.db
again=$("$VES" sync --db till.db)
is "and so is each one after it" $? 3
like "and says so" "$again" "1 failed before and is not in the log"
pushed=$("$VES" push --db till.db)
is "and each push" $? 3
like "in the same words" "$pushed" "1 failed before and is not in the log"
is "what only counts takes no part in it" "$("$VES" push --db till.db --dry-run; echo $?)" "would push 0 events
0"
is "status does not offer what would not help" "$(store_is till.db '[d["undelivered"], d["refused"], d["nextSteps"]]')" '[1, 1, ["ves outbox --status failed"]]'
is "also as JSON" "$(json "$("$VES" sync --db till.db --json)" '[d["push"]["failed"], d["push"]["undelivered"]]')" "[0, 1]"
like "why says what to do with it" "$("$VES" why --db till.db "$refused")" "outbox --settle"
exits "what agents may decide is named rightly" 2 "$VES" mcp --db till.db --allow payments
exits "settling needs a reason" 2 "$VES" outbox --db till.db --settle "$refused"
like "what was not refused is not settled" "$("$VES" outbox --db till.db --settle "$(cat taken)" --reason x 2>&1)" "did not refuse"
check "who has looked into it settles it" "$VES" outbox --db till.db --settle "$refused" --reason "entered anew as CMD-3"
like "once" "$("$VES" outbox --db till.db --settle "$refused" --reason x 2>&1)" "already"
again=$("$VES" sync --db till.db)
is "then a sync is done" "$? $(grep -c 'failed before' <<< "$again")" "0 0"
exits "and a push" 0 "$VES" push --db till.db
is "status, too" "$(store_is till.db 'd["health"]')" healthy
like "the reason is kept" "$("$VES" trail --db till.db)" "entered anew as CMD-3"
is "and so is the event, as failed" "$(json "$("$VES" show --db till.db "$refused" --json)" 'd["status"]')" failed
cp till.db.credential good
echo ss_wrong0000000000000000000000000000000000000 > till.db.credential
adjust till.db MUG 1
exits "5: refused" 5 "$VES" push --db till.db
is "and nothing is said to be gone" "$(json "$("$VES" sync --db till.db --json 2> /dev/null)" 'd["push"]["remaining"] > 0')" true
is "status tells of the credential" "$(store_is till.db '"credential" in " ".join(d["reasons"])')" true
cp good till.db.credential
check "with the right credential it goes on" "$VES" push --db till.db

# ---- documents
names() { lib check_samples "$VES_SHARED/spec/mcp/mcp-samples.json" "$@"; }
typo=$("$VES" append --db till.db order.creatd DOC-0 --payload '{}' --json)
is "an unknown type is carried, and said to be one" "$(json "$typo" '[d["status"], d["unknownType"], d["didYouMean"]]')" '["pending", true, "order.created"]'
like "also to people" "$("$VES" append --db till.db order.creatd DOC-0 --payload '{}' 2>&1 > /dev/null)" "did you mean order.created"
is "but not one that is like none" "$("$VES" append --db till.db shelf.dusted DOC-0 --payload '{}' 2>&1 > /dev/null)" ""
like "what only it says has no state, in words" "$("$VES" entity --db till.db order DOC-0)" "no state: .*rules"
waiting=$(store_is till.db 'd["counts"]["pending"]')
exits "--strict refuses it" 1 "$VES" append --db till.db order.creatd DOC-0 --payload '{}' --strict
is "and appends nothing" "$(store_is till.db 'd["counts"]["pending"]')" "$waiting"
check "--strict takes what has rules" "$VES" append --db till.db order.created DOC-2 --payload '{"currency":"GBP","lines":[]}' --strict
"$VES" push --db till.db > /dev/null
first=$("$VES" append --db till.db order.created DOC-1 --payload '{"currency":"GBP","lines":[]}' --json)
is "append --json" "$(json "$first" 'sorted(d)')" '["eventId", "status"]'
adjust till.db MUG 1
if [ -e "$VES_SHARED/spec/mcp/mcp-samples.json" ]; then
	push=$("$VES" push --db till.db --limit 1 --json)
	check "push --json has the sample's names" names push_events "$push" attempted accepted duplicates failed conflicts remaining firstSequence lastSequence problems
	is "push --limit 1 pushes one" "$(json "$push" '[d["attempted"], d["accepted"]]')" "[1, 1]"
	"$VES" push --db till.db > /dev/null
	check "ack --json" names acknowledge_events "$("$VES" ack --db till.db --json)" acknowledged alreadySynced notAcknowledged notAcknowledgedCount
	pull=$("$VES" pull --db office.db --limit 1 --json)
	check "pull --json" names pull_events "$pull" received applied alreadyApplied quarantined newConflicts lastEventId hasMore
	is "pull --limit 1 pulls one, and there is more" "$(json "$pull" '[d["received"], d["applied"], d["hasMore"]]')" "[1, 1, true]"
	"$VES" pull --db office.db > /dev/null
	status=$("$VES" status --db till.db --json)
	check "status --json" names get_sync_status "$status" health summary counts.pending counts.syncing counts.synced counts.failed counts.conflict \
		conflictsByType.concurrent_edit conflictsByType.version_mismatch conflictsByType.deleted_reference oldestPendingAt lastPushAt lastPullAt lastPulledEventId \
		sequence.lastPushed sequence.lastPulled sequence.remoteHead sequence.lag sequence.gap sequencer.reachable sequencer.checkedAt signatureFailures nextSteps
	like "and the state hash" "$(json "$status" 'd["stateHash"]')" '^[0-9a-f]{64}$'
	check "outbox --json" names list_outbox_events "$("$VES" outbox --db till.db --json)" events.0.eventId events.0.type events.0.aggregateId events.0.status events.0.timestamp events.0.localSequence events.0.attempts total
	check "show --json" names get_outbox_event "$("$VES" show --db till.db "$(json "$first" 'd["eventId"]')" --json)" event.eventId event.type event.aggregateId event.payload event.signature event.timestamp status signatureCheck.valid
	check "settings --json" names get_sync_settings "$("$VES" settings --db till.db --json)" settings.autoSync settings.syncIntervalMs settings.batchSize settings.maxRetries settings.retryBaseDelayMs settings.retryMaxDelayMs settings.conflictStrategy settings.outboxRetentionDays
	if names push_events "$push" summary > /dev/null 2>&1 || names get_sync_status "$status" counts.nothing > /dev/null 2>&1; then
		not_ok "the comparison can say no"
	else
		ok "the comparison can say no"
	fi
else
	skip "field names of the documents" "$VES_SHARED/spec/mcp/mcp-samples.json is not there"
	"$VES" sync --db till.db > /dev/null
	"$VES" pull --db office.db > /dev/null
fi
event=$(json "$first" 'd["eventId"]')
bad=
mkdir documents
for c in "status" "outbox" "show $event" "log" "trail" "entity order DOC-1" "keys" "settings" "quarantine" "doctor" "why $event" "push" "pull" "ack" "sync" "retry" "prune" "push --dry-run" "pull --dry-run"; do
	# shellcheck disable=SC2086
	"$VES" $c --db till.db --json > "documents/$c" 2> err
	[ $? -eq 0 ] || bad="$bad; $c: exit $? $(cat err)"
	[ ! -s err ] || bad="$bad; $c: says $(cat err)"
	# shellcheck disable=SC2086
	"$VES" $c --db till.db > out 2>> err
	if grep -qP '[\x00-\x08\x0b-\x1f]' out err; then bad="$bad; $c: control characters when not on a terminal"; fi
	[ -s out ] || bad="$bad; $c: says nothing"
done
bad=$bad$(python3 - <<'P'
import glob, json
for name in glob.glob("documents/*"):
    text = open(name).read()
    try:
        ok = isinstance(json.loads(text), dict) and text.count("\n") == 1
    except ValueError:
        ok = False
    if not ok:
        print(name, "is not one document on one line")
P
)
is "every command gives one JSON document, and plain text without bars or colours" "$bad" ""
"$VES" status --db nothing.db --json > out 2> err
is "with --json an error is a document on standard error" "$(json "$(cat err)" '[sorted(d["error"]), d["error"]["code"]]') $(wc -c < out)" '[["code", "message"], "NOT_FOUND"] 0'
"$VES" append x --json --db till.db > out 2> err
is "a usage error too" "$(json "$(cat err)" 'd["error"]["code"]')" USAGE
like "log shows what happened" "$("$VES" log --db office.db --limit 3)" "applied .*order.created +DOC-1"
like "keys shows both agents" "$("$VES" keys --db till.db | grep -c '^agent ')" '^2$'
like "trail shows the operations" "$("$VES" trail --db till.db)" " push "

# pull --since: reads again and compares
is "pull --since SEQUENCE reads again" "$(json "$("$VES" pull --db office.db --since 2 --json)" '[d["applied"], d["alreadyApplied"] > 0]')" "[0, true]"
is "pull --since EVENT begins after it" "$(json "$("$VES" pull --db office.db --since "$event" --json)" 'd["applied"]')" 0
pending=$("$VES" append --db till.db order.created WHY-1 --payload '{"currency":"GBP","lines":[]}')
exits "pull --since an event that has no number" 1 "$VES" pull --db till.db --since "$pending"

# ---- why, in each status
like "why: pending" "$("$VES" why --db till.db "$pending")" "(wait|push)"
"$VES" push --db till.db > /dev/null
like "why: syncing, with a receipt" "$("$VES" why --db till.db "$pending")" "receipt verified.*not acknowledged"
"$VES" ack --db till.db "$pending" > /dev/null
like "why: synced" "$("$VES" why --db till.db "$pending")" "^Done"
"$VES" sync --db office.db > /dev/null
like "why: another agent's" "$("$VES" why --db office.db "$pending")" "Another agent wrote it"
exits "why: nobody's" 1 "$VES" why --db till.db "$(cat /proc/sys/kernel/random/uuid)"
for store in till office; do
	"$VES" append --db $store.db order.updated ORD-9 --payload "{\"patch\":{\"note\":\"$store\"}}" > $store.id
done
"$VES" sync --db till.db > /dev/null
exits "a sync that ends in a conflict: done in part" 3 "$VES" sync --db office.db
branch=$(cat office.id)
like "why: conflict" "$("$VES" why --db office.db "$branch")" "conflicts with what others wrote.*\(concurrent_edit, same_field\)"
is "status counts it" "$(store_is office.db '[d["health"], d["counts"]["conflict"], d["conflictsByType"]["concurrent_edit"]]')" '["attention", 1, 1]'
is "nothing of it remains to be pushed" "$(json "$("$VES" push --db office.db --json)" 'd["remaining"]')" 0
check "it is decided" "$VES" resolve --db office.db "$branch" --strategy accept_remote --reason "the till was there"
"$VES" sync --db office.db > /dev/null
is "and over" "$(store_is office.db '[d["health"], d["counts"]["conflict"]]')" '["healthy", 0]'

# ---- settings
is "a setting is kept" "$("$VES" settings --db till.db batchSize=7 --json > /dev/null; json "$("$VES" settings --db till.db --json)" '[d["settings"]["batchSize"], d["sources"]["batchSize"]]')" '[7, "file"]'
is "the environment wins over the file" "$(VES_BATCH_SIZE=9 "$VES" settings --db till.db --json | python3 -c 'import sys,json; d=json.load(sys.stdin); print(d["settings"]["batchSize"], d["sources"]["batchSize"])')" "9 environment"
exits "an unknown setting" 1 "$VES" settings --db till.db colour=red
exits "a value out of range" 1 "$VES" settings --db till.db batchSize=0
exits "a word without a value" 2 "$VES" settings --db till.db batchSize

# ---- on a terminal
"$HERE/tools/generate-day" 3 150 > day.csv
join bars.db
on_terminal() { lib on_terminal "$@"; }
like "on a terminal there is a bar" "$(on_terminal "$VES" import --db bars.db day.csv --format online-retail | tr '\r' '\n')" 'import +\[#+ *\] [0-9]+ of [0-9]+'
like "and colour" "$(TERM=xterm on_terminal "$VES" status --db bars.db | cat -v)" '\^\[\[3[12]m'
if NO_COLOR=1 on_terminal "$VES" status --db bars.db | grep -q $'\033'; then not_ok "NO_COLOR is heeded"; else ok "NO_COLOR is heeded"; fi

# ---- Ctrl-C
"$HERE/tools/generate-day" 5 400 > long.csv
rows=$(($(wc -l < long.csv) - 1))
join long.db
appended() { sqlite3 long.db "SELECT count(*) FROM ves_outbox"; }
some_appended() { [ "$(appended)" -gt 0 ]; }
"$VES" import --db long.db long.csv --format online-retail > out 2> err &
pid=$!
wait_for 60 some_appended
kill -INT $pid
wait $pid
code=$?
first=$(appended)
if [ "$first" -lt "$rows" ]; then
	is "Ctrl-C during an import: done in part" $code 3
	like "says how to go on" "$(cat err)" "interrupted.*same command"
else
	not_ok "the import was over before it was interrupted ($first of $rows rows): make it longer"
fi
exits "the store agrees with itself" 0 "$VES" doctor --db long.db
"$VES" import --db long.db long.csv --format online-retail > out 2> err &
pid=$!
n=0
while kill -0 $pid 2> /dev/null; do
	"$VES" backup --db long.db backup-$n.db > /dev/null 2>> backup.err || not_ok "a backup while importing"
	n=$((n + 1))
done
wait $pid
is "the same command goes on" $? 0
is "backups while it ran ($n) went well" "$(cat backup.err)" ""
check "nothing is there twice or missing" lib check_import long.csv long.db
cp long.db.key backup-0.db.key
cp long.db.credential backup-0.db.credential
exits "a backup made meanwhile agrees with itself" 0 "$VES" doctor --db backup-0.db

"$HERE/tools/generate-day" 6 40 > short.csv
join short.db
"$VES" import --db short.db short.csv --format online-retail > /dev/null
sqlite3 "$SEQ" "SELECT count(*) FROM ves_events" > before
"$VES" settings --db short.db batchSize=4 > /dev/null
some_pushed() { [ "$(sqlite3 "$SEQ" "SELECT count(*) FROM ves_events")" -gt $(($(cat before) + 20)) ]; }
"$VES" sync --db short.db > out 2> err &
pid=$!
wait_for 60 some_pushed
kill -INT $pid
wait $pid
is "Ctrl-C during a sync: done in part" $? 3
like "says how to go on" "$(cat err)" "interrupted.*same command"
is "what has a receipt is not pending any more" "$(sqlite3 short.db "SELECT count(*) FROM ves_outbox WHERE receipt IS NOT NULL AND status = 'pending'")" 0
"$VES" settings --db short.db batchSize=1000 > /dev/null
check "the next sync completes" "$VES" sync --db short.db
check "every event once" lib check_log "$SEQ" short.db --settled --others --signatures 5

# ---- sync --watch
"$VES" sync --db office.db --watch --interval 100 > watch.out 2> watch.err &
pid=$!
late=$("$VES" append --db short.db order.created WATCH-1 --payload '{"currency":"GBP","lines":[]}')
"$VES" sync --db short.db > /dev/null
arrived() { "$VES" show --db office.db "$late"; }
wait_for 60 arrived && ok "sync --watch brings what others do" || not_ok "sync --watch brings what others do"
kill -INT $pid
wait $pid
is "Ctrl-C ends it well" $? 0

# ---- prune
before=$(sqlite3 short.db "SELECT sum(length(envelope)) FROM ves_events")
hash=$(store_is short.db 'd["stateHash"]')
like "prune drops bodies" "$(json "$("$VES" prune --db short.db --days 0 --json)" 'd["pruned"]')" '^[1-9][0-9]*$'
[ "$(sqlite3 short.db "SELECT sum(length(envelope)) FROM ves_events")" -lt "$before" ] && ok "the log is smaller" || not_ok "the log is smaller"
is "every hash and receipt is there" "$(sqlite3 short.db "SELECT count(*) FROM ves_outbox WHERE receipt IS NULL OR length(event_hash) <> 32")" 0
is "the state is what it was" "$(store_is short.db 'd["stateHash"]')" "$hash"
like "why tells of it" "$("$VES" why --db short.db "$(sqlite3 short.db "SELECT event_id FROM ves_outbox_view WHERE status = 'synced' ORDER BY local_seq LIMIT 1")")" "body was pruned"
exits "the store agrees with itself after that" 0 "$VES" doctor --db short.db
adjust short.db MUG 1
check "and goes on" "$VES" sync --db short.db
is "every command but mcp, whose standard output is its protocol's, has --json" "$("$VES" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | while read -r c; do "$VES" "$c" --help | grep -q -- '--json' || echo "$c"; done)" mcp
"$VES" serve --db one.db --listen 127.0.0.1:0 --port-file one.port --json > one.json 2> one.err & one=$!
tap_pids+=($one)
wait_for 60 test -s one.json
is "ves serve --json: one document, where it listens" "$(json "$(cat one.json)" '(d["url"].startswith("http://127.0.0.1:"), d["newAdminKeyFile"])')" '[true, "one.db.admin-key"]'
kill -TERM $one
{ wait $one; } 2> /dev/null
check "importing again still adds nothing" bash -c '[ "$("$VES" import --db short.db short.csv --format online-retail --json | grep -o "\"appended\":[0-9]*")" = "\"appended\":0" ]'
done_testing
