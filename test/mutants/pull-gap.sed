# src/engine/agent_page.c -- a page may have holes
s/if (item->event.sequence_number != page->asked_from + index)/if (false)/
