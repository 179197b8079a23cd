# src/engine/agent_apply.c -- the cursor is durable before what it stands for
/core->store, core->stream_no, apply->rows, apply->row_count);/a\    if (!status)\n        status = core->store->ops->commit(core->store);\n    if (!status)\n        status = core->store->ops->begin(core->store);
