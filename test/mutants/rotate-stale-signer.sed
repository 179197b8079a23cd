# src/engine/agent_append.c by test_rotate -- who has the store open goes on with the key that was rotated
s/append->chain.key_id != append->core->key_id)/false)/
