# src/engine/verdicts.c -- what one member of a group does cannot speak against the next
s/^            status = ves_verdicts_show(v, event);/            (void)event;/
