# src/server/pipeline.c by test_server_shared -- nobody tells the other processes
s/ves_refresh_note(server, &group/(void)(\&group/
