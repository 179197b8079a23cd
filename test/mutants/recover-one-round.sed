# src/engine/log_recover.c -- stores are asked once each for the lost tail
s/} while (!status && r->next > before && r->next <= r->what->size);/} while (false \&\& before);/
