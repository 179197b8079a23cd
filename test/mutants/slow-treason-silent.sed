# src/engine/agent_records.c -- what is put into quarantine raises no alert
s/^    return ves_device_alert(core, now_ms, &bare);/    return VES_OK;/
