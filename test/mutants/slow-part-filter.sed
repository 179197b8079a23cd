# src/core/part.c by test_part -- an event that was not asked for is taken
s/if (!is_asked_for(part, event))/if (false)/
