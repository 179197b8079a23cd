# src/engine/commit_decide.c -- the log is not asked whether it has the event
s/status = compare_stored(request, e, &refusal);/status = VES_OK;/
