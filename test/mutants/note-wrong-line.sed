# src/core/note.c by test_note -- a wrong line of a known key is no reason to refuse the note
s/return VES_NOTE_BAD;/continue;/
