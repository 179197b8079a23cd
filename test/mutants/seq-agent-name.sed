# src/engine/ingest.c src/engine/ingest_prepare.c -- an agent may write in the name of another
s/!ves_uuid_equal(&ids.id\[ID_AGENT\], &ingest->agent))/false)/
s/if (!ves_uuid_equal(&event->agent, &p->ingest->agent))/if (false)/
