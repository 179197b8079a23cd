# src/engine/agent_key_log.c by test_key_entry -- a log may contradict the directory
s/        if (differs(key, &row, &span))/        if (false)/
