# src/server/queue.c by test_server_fair -- commits are as large however many tenants come
/^static size_t group_of/,/^}/s/queue->mixed ? events/false ? events/
