# src/engine/agent_key_log.c -- numbers of keys that an epoch gave up are believed on
s/^    for (struct cut_key \*key = cut.first; key && !status; key = key->next)$/    for (struct cut_key *key = NULL; key \&\& !status; key = key->next)/
