# src/core/policy.c by test_policy -- one witness under two names counts twice
s/if (is_same_key(&policy->witnesses\[i\].key, &witness->key))/if (false)/
