# src/server/followers.c by test_server_live -- who lost the right goes on hearing
s/^        put_end(f, ves_auth_code(result), ves_auth_words(result));/        return;/
