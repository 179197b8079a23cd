# src/core/inspection.c by test_evidence -- a policy's key for one log speaks for every log's sequencer
s/if (is_of_log(in, &in->policy.logs\[i\]) &&/if (/
