# src/sync/prove.c by e2e/58-vouch -- a bundle has the newest head, whoever vouches for it
s/    if (!status \&\& !is_met)/    if (false)/
