# src/core/inspection.c by test_bundle -- an agent's signature is not verified
/if (sum->bad == 0 &&/{n;s/!ves_ed25519_verify(found.key,/!true \&\& !ves_ed25519_verify(found.key,/}
