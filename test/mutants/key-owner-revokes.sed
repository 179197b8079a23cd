# src/core/key_state.c by test_key_entry -- anybody revokes in the owner's name
/^static enum ves_key_fault check_revoked/,/^}/s/event->has_statement ? check_owner(world, event)/event->has_statement ? VES_KEY_FAULT_NONE/
