# src/core/part.c by test_part -- a head whose signature is wrong is taken for unsigned, and that for signed
s/if (verdict == VES_NOTE_BAD)/if (false)/
s/is_signed |= verdict == VES_NOTE_GOOD/is_signed |= verdict != VES_NOTE_ABSENT/
