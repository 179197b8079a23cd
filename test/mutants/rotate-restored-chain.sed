# src/engine/agent_own.c by test_rotate -- own events that come back make the store forget which key signs
s/^    own->chain.key_id = now.key_id;$//
