# src/engine/agent_page.c from 233 -- events of other streams are applied
s/if (!ves_stream_equal(&item->event.stream, &core->stream))/if (false)/
