# src/engine/ingest_prepare.c -- an agent may write in the name of another
s/if (!ves_uuid_equal(&event->agent, &p->ingest->agent))/if (false)/
