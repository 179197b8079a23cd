# src/engine/agent_automatic.c -- a policy decides what another store wrote
s/ || !ves_uuid_equal(&author, &core->agent))/)/
s/!conflict.is_own || //
