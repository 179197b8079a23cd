#!/bin/bash
# 14-stock.sh -- two tills sell the same stock offline; everybody ends alike.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1
new_hub || exit 1
for s in office till-1 till-2; do join $s.db; done
adjust office.db MUG 10
for s in office till-1 till-2; do "$VES" sync --db $s.db > /dev/null || not_ok "first sync of $s"; done
is "till-1 sees what the office counted in" "$(on_hand till-1.db MUG)" 10

stop_server
adjust till-1.db MUG -2
adjust till-2.db MUG -3
is "offline till-1 sees its own sale" "$(on_hand till-1.db MUG)" 8
is "offline till-2 sees its own sale" "$(on_hand till-2.db MUG)" 7
exits "syncing without a sequencer says so with exit 4" 4 "$VES" sync --db till-1.db
like "and what to do next" "$("$VES" sync --db till-1.db 2>&1)" "once the sequencer answers, do the same again"
is "and the sale is still pending" "$(store_is till-1.db 'd["counts"]["pending"]')" 1

LISTEN=${URL#http://} start_server "$SEQ" || exit 1
for s in till-1 till-2 office till-1; do
	check "$s syncs once the sequencer is back" "$VES" sync --db $s.db
done
for s in office till-1 till-2; do is "$s has 5 left" "$(on_hand $s.db MUG)" 5; done
hash=$(store_is office.db 'd["stateHash"]')
like "the state hash is 64 digits" "$hash" '^[0-9a-f]{64}$'
for s in till-1 till-2; do
	is "$s has the office's state hash" "$(store_is $s.db 'd["stateHash"]')" "$hash"
	is "$s has it at sequence 6, three keys and three movements" "$(store_is $s.db 'd["stateAtSequence"]')" 6
done
adjust till-1.db MUG -1
is "the state hash does not move for what is not sequenced" "$(store_is till-1.db 'd["stateHash"]')" "$hash"
check "till-1 syncs its last sale" "$VES" sync --db till-1.db
[ "$(store_is till-1.db 'd["stateHash"]')" != "$hash" ] && ok "then the state hash moves" || not_ok "then the state hash moves"
"$VES" sync --db till-2.db > /dev/null
"$VES" sync --db office.db > /dev/null
check "an independent checker agrees" lib check_log "$SEQ" office.db till-1.db till-2.db --settled
done_testing
