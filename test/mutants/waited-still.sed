# src/os/timed.c by test_os -- a wait counts the time its process stood still
s/took_ms < (int64_t)moment ? (unsigned)took_ms : moment/took_ms < (int64_t)*left_ms ? (unsigned)took_ms : *left_ms/
