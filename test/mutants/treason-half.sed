# src/engine/agent_apply.c -- of a page that is false of the log all but the last event is applied
s/^        apply->end = apply->first;/        apply->end -= apply->end > apply->first;/
