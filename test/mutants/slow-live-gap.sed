# src/server/followers.c by test_server_live -- after each event that was sent one is left out
s/^    f->what.next++;/    f->what.next += 2;/
