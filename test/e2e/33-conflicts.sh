#!/bin/bash
# 33-conflicts.sh -- two people change the same order offline: everybody sees
# the same conflict, one decision settles it, and the history says who and why.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
join till.db
join office.db
all() { local s; for s in till office till; do "$VES" sync --db $s.db > "$s.out" 2>&1; done; }
append() { "$VES" append --db "$1.db" "$2" "$3" --payload "$4" "${@:5}"; }
list() { json "$("$VES" conflicts --db "$1.db" --json "${@:3}")" "$2"; }
state() { json "$("$VES" entity --db "$1.db" order "$2" --json)" "d['state'].get('$3')"; }
# quarrel ID TILL_PATCH OFFICE_PATCH -- prints the branch event, the office's.
quarrel()
{
	append till order.created "$1" '{"email":"a","note":"n"}' > /dev/null
	all
	append till order.updated "$1" "{\"patch\":$2}" > /dev/null
	append office order.updated "$1" "{\"patch\":$3}"
	"$VES" sync --db till.db > /dev/null 2>&1
	"$VES" sync --db office.db > met 2>&1
	code=$?
	[ $code -eq 3 ] || echo "# the sync that met the conflict ended with $code, not 3 (done in part)" >&2
	echo $code > code
	"$VES" sync --db till.db > /dev/null 2>&1
}

is "no conflict at first" "$("$VES" conflicts --db till.db)" "No conflict is open."
branch=$(quarrel O1 '{"email":"till"}' '{"email":"office","note":"mine"}')
is "a sync that meets a conflict is done in part" "$(cat code)" 3
id=$(list till 'd["conflicts"][0]["conflictId"]')
is "the same conflict on both stores" "$(list office '[c["conflictId"] for c in d["conflicts"]]')" "[\"$id\"]"
is "it is the office's event" "$(list till 'd["conflicts"][0]["eventId"]')" "$branch"
is "own there, other here" "$(list office 'd["conflicts"][0]["origin"]') $(list till 'd["conflicts"][0]["origin"]')" "own other"
is "with type and sub-code" "$(list till 'd["conflicts"][0]["conflictType"] + " " + d["conflicts"][0]["subCode"]')" "concurrent_edit same_field"
is "status counts it on both" "$(store_is till.db 'd["conflictsByType"]["concurrent_edit"]')$(store_is office.db 'd["conflictsByType"]["concurrent_edit"]')" 11
is "and says what to type" "$(store_is till.db '[s for s in d["nextSteps"] if "conflicts" in s]')" '["ves conflicts"]'
is "the author's row shows it" "$(store_is office.db 'd["counts"]["conflict"]')$(store_is till.db 'd["counts"]["conflict"]')" 10
like "conflicts for people" "$("$VES" conflicts --db till.db)" "^    suggested: manual, because"
like "why for people" "$("$VES" why "$branch" --db office.db)" "in the branch of conflict ${id:0:14}"

# The names of issue 3, on every item.
names='sorted({"conflictId", "eventId", "conflictType", "subCode", "entity", "origin", "openedSequence", "suggestedStrategy", "allowedStrategies"} - set(%s))'
is "conflicts --json has them" "$(list till "$(printf "$names" 'd["conflicts"][0]')")" "[]"
is "and conflict show --json" "$(json "$("$VES" conflict show "$id" --db till.db --json)" "$(printf "$names" d)")" "[]"
step=$(list till 'd["nextSteps"][0]')
like "what to type next names the conflict" "$step" "^ves conflict show ${id:0:14}\$"
check "and can be typed" env VES_DB=till.db bash -c "PATH=$(dirname "$VES"):\$PATH $step"
like "conflict show says what to type, too" "$("$VES" conflict show "$branch" --db till.db)" "^next ves resolve $branch --strategy manual --set /email=VALUE"

# Side by side; plain where it is narrow.
out=$(COLUMNS=120 "$VES" conflict show "$branch" --db till.db)
like "three columns" "$out" '^  field +before +ours +theirs'
like "what overlaps is marked" "$out" '^! /email +a +office +till'
like "what does not is not" "$out" '^  /note +n +mine +n'
like "whose event it is" "$("$VES" conflict show "$branch" --db office.db | grep -A 1 '^ours')" 'this store'
like "which strategy keeps which side" "$out" '^  accept_local +ours: '
is "no line ends in blanks" "$(grep -c ' $' <<< "$out")" 0
like "narrow terminals get lines" "$(COLUMNS=40 "$VES" conflict show "$branch" --db till.db)" '^    theirs  till'
is "named from the other side, the sides swap" "$(json "$("$VES" conflict show "$(list till 'd["conflicts"][0]["remoteEventId"]')" --db till.db --json)" 'd["fields"][0]["ours"]')" till
is "the first digits of its id will do" "$(json "$("$VES" conflict show "${id:0:12}" --db till.db --json)" 'd["conflictId"]')" "$id"

# Refusals say what did not happen.
exits "merging what overlaps is refused" 1 "$VES" resolve "$branch" --db till.db --strategy merge
is "as JSON with its code and place" "$(json "$("$VES" resolve "$branch" --db till.db --strategy merge --json 2>&1 > /dev/null)" '[d["error"]["code"], d["error"]["overlaps"][0]["path"]]')" '["MERGE_OVERLAP", "/email"]'
exits "manual without an answer leaves it open" 3 "$VES" resolve "$branch" --db till.db --strategy manual
exits "a value that cannot stand there is refused" 1 "$VES" resolve "$branch" --db till.db --strategy manual --set /currency=pounds
is "with its place" "$(json "$("$VES" resolve "$branch" --db till.db --strategy merge --payload '{"lines":[{"sku":"A"}]}' --json 2>&1 > /dev/null)" '[d["error"]["code"], d["error"]["path"]]')" '["PAYLOAD_INVALID", "/lines/0/quantity"]'
is "and nothing was appended" "$(store_is till.db 'd["counts"]["pending"]')" 0
exits "an unknown strategy" 2 "$VES" resolve "$branch" --db till.db --strategy perhaps
exits "without a terminal a strategy is needed" 2 "$VES" resolve "$branch" --db till.db
exits "values go with merge and manual only" 1 "$VES" resolve "$branch" --db till.db --strategy accept_local --set /a=1
exits "no such event" 1 "$VES" conflict show "$(cat /proc/sys/kernel/random/uuid)" --db till.db
out=$("$VES" resolve "$branch" --db till.db --strategy accept_local --dry-run)
like "a dry run shows what would be" "$out" '^  /email: till -> office'
is "and writes nothing" "$(store_is till.db 'd["counts"]["pending"]')" 0

# One decision; nobody counts it any more once it is synced.
out=$("$VES" resolve "$branch" --db till.db --strategy manual --set /email=0042 --reason 'asked the customer' --by ann)
like "a decision says what it changes" "$out" '^  /email: till -> 0042'
like "and that it has to be synced" "$out" '^next ves sync'
is "until then it is open, and pending" "$(list till '[c["isPending"] for c in d["conflicts"]]')" '[true]'
all
is "no store counts it" "$(list till 'd["open"]')$(list office 'd["open"]')$(store_is office.db 'd["counts"]["conflict"]')" 000
is "text stays text" "$(state office O1 email)" 0042
is "state hash" "$(store_is till.db 'd["stateHash"]')" "$(store_is office.db 'd["stateHash"]')"
out=$("$VES" why "$branch" --db office.db)
like "why says who decided" "$out" '\(ann\) decided "manual"'
like "and why" "$out" 'because: asked the customer'
like "the log shows the decision" "$("$VES" log --db office.db)" 'applied +[0-9a-f-]{36}  ves.conflict.resolved'
is "the branch is kept, whole" "$(json "$("$VES" show "$branch" --db office.db --json)" '[d["status"], d["disposition"], d["event"]["payload"]["patch"]["note"]]')" '["synced", "merged", "mine"]'

# The second decision is recorded and told why it lost.
branch=$(quarrel O2 '{"email":"till"}' '{"email":"office"}')
"$VES" resolve "$branch" --db till.db --strategy accept_local > /dev/null
lost=$(json "$("$VES" resolve "$branch" --db office.db --strategy accept_remote --json)" 'd["resultEventId"]')
all
all
is "the first one counts" "$(state office O2 email)" office
like "the second is told" "$("$VES" why "$lost" --db office.db)" 'has no effect, because another decision of it came first'
is "its row is synced" "$(json "$("$VES" show "$lost" --db office.db --json)" '[d["status"], d["verdict"], d["subCode"]]')" '["synced", "superseded", "already_resolved"]'
is "deciding again answers that it is" "$(json "$("$VES" resolve "$branch" --db office.db --strategy accept_remote --json)" 'd["outcome"]')" already_resolved

# Taken back, and open again under its id.
id=$(list till 'd["conflicts"][0]["conflictId"]' --state resolved --entity order/O2)
"$VES" resolve --undo "$branch" --db till.db --reason 'was wrong' > /dev/null
all
is "undo opens it again under its id" "$(list office '[c["conflictId"] for c in d["conflicts"]]')" "[\"$id\"]"
is "and puts back what was there" "$(state office O2 email)" till
"$VES" resolve "$branch" --db office.db --strategy accept_remote > /dev/null
all
all
is "decided anew" "$(list till 'd["open"]') $(state till O2 email)" "0 till"

# A state that moved on.
branch=$(quarrel O3 '{"email":"till"}' '{"email":"office"}')
seen=$(list office 'd["conflicts"][0]["remoteEventId"]')
newer=$(append till order.updated O3 '{"patch":{"email":"newer"}}')
all
out=$("$VES" resolve "$branch" --db office.db --strategy accept_local --expect "$seen" --json 2>&1)
is "what was not reviewed is named" "$(json "$out" '[d["error"]["code"], d["error"]["changed"][0]["eventId"]]')" "[\"CONFLICT_CHANGED\", \"$newer\"]"
"$VES" resolve "$branch" --db office.db --strategy accept_remote --expect "$newer" > /dev/null
all
all
is "seen, it can be decided" "$(list till 'd["open"]') $(state till O3 email)" "0 newer"

# Policies: only where the branch was written, and in the same list.
"$VES" settings --db till.db conflictStrategy.order=accept_local > /dev/null
"$VES" settings --db office.db conflictStrategy.order=accept_remote > /dev/null
like "settings list it" "$("$VES" settings --db office.db)" '^conflictStrategy.order accept_remote'
branch=$(quarrel O4 '{"email":"till"}' '{"email":"office"}')
like "the sync that met it says that it was decided" "$(cat met)" '1 decided by the settings'
all
is "decided by the setting of its author" "$(list till '[d["open"], d["conflicts"][0]["resolution"]["isAutomatic"], d["conflicts"][0]["resolution"]["strategy"]]' --state resolved --entity order/O4)" '[0, true, "accept_remote"]'
like "listed as resolved (auto)" "$("$VES" conflicts --db till.db --state resolved)" 'resolved \(auto\): accept_remote by policy'
"$VES" resolve --undo "$branch" --db till.db > /dev/null
all
all
is "what a person took back stays open" "$(list office 'd["open"]')" 1
"$VES" settings --db office.db conflictStrategy.order=default > /dev/null

# In a terminal it goes through the queue and asks.
branch=$(quarrel O5 '{"email":"till"}' '{"email":"office","x":1}')
cat > walk.py << 'PY'
import os, pty, sys, time, select
answers, args = sys.argv[1].split(","), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(os.environ["VES"], ["ves", *args])
out = b""
for answer in answers:
    seen = len(out)
    while not out[seen:].rstrip().endswith((b"q quit:", b"b back:", b"may be empty)")):
        if not select.select([fd], [], [], 30)[0]:
            break
        try:
            out += os.read(fd, 65536)
        except OSError:
            break
    os.write(fd, answer.encode() + b"\n")
while True:
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    out += more
print(out.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
export TERM=xterm NO_COLOR=1
out=$(python3 walk.py s,x,f,y,=both,by-hand resolve --db till.db)
is "passing one over is done in part" $? 3
like "it counts them" "$out" "^2 of 2"
like "it says what it understands" "$out" "one of the letters o, t, m, f, s and q"
is "and shows each of them once" "$(grep -c '^conflict 0x' <<< "$out")" 2
like "and says what came of it" "$out" "^1 decided, 1 passed over"
out=$(python3 walk.py t,because resolve "$(list till 'd["conflicts"][0]["eventId"]')" --db till.db)
is "all decided is done" $? 0
all
all
is "as the person said" "$(list till 'd["open"]') $(state office O5 email) $(state office O5 x)" "0 both 1"
like "what is decided shows what there is now" "$("$VES" conflict show "$branch" --db till.db)" '^  field +before +ours +now'

# What really happened is no conflict, but somebody should look at it.
is "nothing to look at" "$(store_is till.db 'd["followUps"]')" 0
adjust till.db LAST 1
all
adjust till.db LAST -1
adjust office.db LAST -1
all
all
is "status counts what to look at" "$(store_is till.db '[d["followUps"], d["nextSteps"]]')$(store_is office.db 'd["followUps"]')" '[1, ["ves conflicts"]]1'
like "and says so to people" "$("$VES" status --db office.db)" '^note +1 thing that really happened asks to be looked at'
like "conflicts lists it" "$("$VES" conflicts --db office.db)" '^look at inventory LAST: more was promised than there is, by 1'
like "on its own, too" "$("$VES" conflicts --db office.db --follow-ups | tail -n 1)" '^1 of 1 to look at'
like "the entity has it" "$("$VES" entity --db till.db inventory LAST)" '^look at inventory LAST'
adjust till.db LAST 5
all
is "put right, it is told no more" "$(store_is office.db '[d["followUps"], d["health"]]')" '[0, "healthy"]'
check "the log is sound" lib check_log "$SEQ" till.db office.db
audits "$SEQ" till.db office.db
done_testing
