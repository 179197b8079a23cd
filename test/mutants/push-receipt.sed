# src/engine/agent_reply.c -- receipts of an answer are not verified
/^        if (event->receipt_count > 0 &&$/{N;N;N;s/.*/        if (event->receipt_count > 0)/;}
