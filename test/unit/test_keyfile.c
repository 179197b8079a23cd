/* test_keyfile.c -- key files and credential files, on the real system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "os/file.h"
#include "os/keyfile.h"
#include "test/lib/test_dir.h"

static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    memset(&error, 0, sizeof(error));
    return 0;
}

static int set_up_all(void **state)
{
    return test_dir_make(state) || ves_crypto_init() != VES_OK;
}

/* Answers with ctx, or with nothing when that is NULL; counts. */
static int asked;

static int answer(void *ctx, char *out, size_t size)
{
    asked++;
    if (!ctx)
        return -1;
    size_t len = strlen(ctx);
    assert_true(len <= size);
    memcpy(out, ctx, len);
    return (int)len;
}

static char horse[] = "correct horse";
static char donkey[] = "correct donkey";

static enum ves_status load(char *words, struct ves_signer **signer)
{
    const struct ves_passphrase passphrase = {answer, words};
    enum ves_status status = ves_keyfile_load(test_dir_file, VES_KEY_AGENT,
                                              &passphrase, signer, &error);
    assert_int_equal(status == VES_OK, *signer != NULL);
    if (status)
        assert_int_equal(error.status, status);
    return status;
}

static void expect_signs_for(struct ves_signer *signer,
                             const struct ves_public_key *key)
{
    struct ves_sign_item items[3];
    memset(items, 7, sizeof(items));
    items[2].hash.b[0] = 1;
    assert_memory_equal(signer->public_key.b, key->b, VES_KEY_SIZE);
    signer->sign(signer, items, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(ves_ed25519_verify(
            key, ves_bytes(items[i].hash.b, VES_HASH_SIZE), &items[i].sig));
}

static void keys_are_kept_in_the_clear_or_sealed(void **state)
{
    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        const struct ves_passphrase passphrase = {answer, horse};
        struct ves_public_key key, inspected;
        struct ves_signer *signer;
        bool is_sealed;
        struct stat st;
        assert_int_equal(ves_keyfile_generate(test_dir_file, VES_KEY_AGENT,
                                              sealed ? &passphrase : NULL, &key,
                                              &error),
                         VES_OK);
        assert_int_equal(stat(test_dir_file, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        asked = 0;
        assert_int_equal(ves_keyfile_inspect(test_dir_file, VES_KEY_AGENT,
                                             &inspected, &is_sealed, &error),
                         VES_OK);
        assert_int_equal(is_sealed, sealed);
        assert_memory_equal(inspected.b, key.b, VES_KEY_SIZE);
        assert_int_equal(asked, 0);

        assert_int_equal(load(horse, &signer), VES_OK);
        assert_int_equal(asked, sealed);
        expect_signs_for(signer, &key);
        ves_signer_free(signer);

        /* A key is never written over. */
        assert_int_equal(ves_keyfile_generate(test_dir_file, VES_KEY_AGENT,
                                              NULL, NULL, &error),
                         VES_CONFLICT);
        assert_int_equal(load(horse, &signer), VES_OK);
        expect_signs_for(signer, &key);
        ves_signer_free(signer);
        assert_int_equal(unlink(test_dir_file), 0);
    }
}

static void sealed_keys_need_their_passphrase(void **state)
{
    const struct ves_passphrase none = {answer, NULL};
    const struct ves_passphrase good = {answer, horse};
    struct ves_signer *signer;
    uint8_t seed[VES_SEED_SIZE];
    struct ves_buf buf;
    char hex[2 * VES_SEED_SIZE + 1];
    (void)state;
    for (size_t i = 0; i < sizeof(seed); i++) {
        seed[i] = (uint8_t)(i + 0xA0);
        (void)snprintf(hex + 2 * i, 3, "%02x", seed[i]);
    }
    assert_int_equal(ves_keyfile_create(test_dir_file, VES_KEY_AGENT, seed,
                                        &none, NULL, &error),
                     VES_AUTH);
    assert_false(ves_file_exists(test_dir_file));
    assert_int_equal(ves_keyfile_create(test_dir_file, VES_KEY_AGENT, seed,
                                        &good, NULL, &error),
                     VES_OK);
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    assert_int_equal(ves_file_read(test_dir_file, &buf, &error), VES_OK);
    assert_null(memmem(buf.ptr, buf.len, hex, 16));
    ves_buf_free(&buf);

    assert_int_equal(load(donkey, &signer), VES_AUTH);
    assert_int_equal(load(NULL, &signer), VES_AUTH);
    assert_int_equal(
        ves_keyfile_load(test_dir_file, VES_KEY_AGENT, NULL, &signer, &error),
        VES_AUTH);
    assert_int_equal(load(horse, &signer), VES_OK);
    ves_signer_free(signer);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
/* RFC 8032 7.1 test 1. */
#define SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define PUBLIC \
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static void key_files_have_one_form(void **state)
{
    static const struct {
        const char *text;
        enum ves_status status;
    } cases[] = {
        {"ves-secret-key 1 agent\npublic " PUBLIC "\nseed " SEED "\n", VES_OK},
        {"ves-secret-key 1 agent\npublic " PUBLIC "\nseed " SEED,
         VES_MALFORMED},
        {"ves-secret-key 1 agent\npublic " PUBLIC "\nseed " SEED "\n\n",
         VES_MALFORMED},
        {"ves-secret-key 1 agent\r\npublic " PUBLIC "\nseed " SEED "\n",
         VES_MALFORMED},
        {"ves-secret-key 1 agents\npublic " PUBLIC "\nseed " SEED "\n",
         VES_MALFORMED},
        {"ves-secret-key 1 owner\npublic " PUBLIC "\nseed " SEED "\n",
         VES_INVALID},
        {"ves-secret-key 2 agent\npublic " PUBLIC "\nseed " SEED "\n",
         VES_UNSUPPORTED},
        {"ves-secret-key 1 agent\npublic " ZEROS "\nseed " SEED "\n",
         VES_CORRUPT},
        {"ves-secret-key 1 agent\npublic " PUBLIC "\nseed 0x" SEED "\n",
         VES_MALFORMED},
        {"ves-secret-key 1 agent\npublic " PUBLIC "\nsealed " SEED "\n",
         VES_MALFORMED},
        {"ves-secret-key 1 agent\nseed " SEED "\n", VES_MALFORMED},
        {"-----BEGIN PRIVATE KEY-----\n", VES_MALFORMED},
        {"", VES_MALFORMED},
    };
    struct ves_signer *signer;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_dir_put(cases[i].text, 0600);
        assert_int_equal(load(horse, &signer), cases[i].status);
        assert_null(strstr(error.text, "9d61"));
        ves_signer_free(signer);
    }
    char *longer = calloc(1, 4097);
    assert_non_null(longer);
    memset(longer, 'a', 4096);
    test_dir_put(longer, 0600);
    assert_int_equal(load(horse, &signer), VES_MALFORMED);
    free(longer);
    test_dir_put(cases[0].text, 0644);
    assert_int_equal(load(horse, &signer), VES_REFUSED);
}

static void altered_sealed_keys_do_not_open(void **state)
{
    const struct ves_passphrase good = {answer, horse};
    struct ves_signer *signer;
    struct ves_buf buf;
    (void)state;
    assert_int_equal(
        ves_keyfile_generate(test_dir_file, VES_KEY_AGENT, &good, NULL, &error),
        VES_OK);
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    assert_int_equal(ves_file_read(test_dir_file, &buf, &error), VES_OK);
    /* The last digit of the box, then the first of the public half. */
    const size_t at[] = {buf.len - 2, 23 + 7};
    const enum ves_status expected[] = {VES_AUTH, VES_CORRUPT};
    for (size_t i = 0; i < 2; i++) {
        uint8_t kept = buf.ptr[at[i]];
        buf.ptr[at[i]] = kept == '0' ? '1' : '0';
        assert_int_equal(ves_file_write(test_dir_file, ves_buf_view(&buf),
                                        VES_FILE_REPLACE, &error),
                         VES_OK);
        assert_int_equal(load(horse, &signer), expected[i]);
        buf.ptr[at[i]] = kept;
    }
    ves_buf_free(&buf);
}

static void credentials_are_one_line(void **state)
{
    static const char *const bad[] = {"",     "a b",  "a\nb",
                                      "a\tb", "\x7f", "a\xc3\xa9"};
    char longest[VES_CREDENTIAL_MAX + 2];
    char *text;
    struct stat st;
    (void)state;
    assert_int_equal(ves_credential_file_read(test_dir_file, &text, &error),
                     VES_NOT_FOUND);
    assert_null(text);
    assert_int_equal(ves_credential_file_write(test_dir_file, "ss_old", &error),
                     VES_OK);
    assert_int_equal(ves_credential_file_write(test_dir_file, "ss_new", &error),
                     VES_OK);
    assert_int_equal(stat(test_dir_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    test_dir_expect("ss_new\n");
    assert_int_equal(ves_credential_file_read(test_dir_file, &text, &error),
                     VES_OK);
    assert_string_equal(text, "ss_new");
    ves_secret_free(text);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            ves_credential_file_write(test_dir_file, bad[i], &error),
            VES_INVALID);
        test_dir_expect("ss_new\n");
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        test_dir_put(bad[i], 0600);
        assert_int_equal(ves_credential_file_read(test_dir_file, &text, &error),
                         VES_MALFORMED);
        assert_null(text);
    }
    test_dir_put("by_hand", 0600); /* an editor that adds no newline */
    assert_int_equal(ves_credential_file_read(test_dir_file, &text, &error),
                     VES_OK);
    assert_string_equal(text, "by_hand");
    ves_secret_free(text);
    assert_int_equal(chmod(test_dir_file, 0640), 0);
    assert_int_equal(ves_credential_file_read(test_dir_file, &text, &error),
                     VES_REFUSED);

    memset(longest, 'k', sizeof(longest));
    longest[VES_CREDENTIAL_MAX + 1] = '\0';
    assert_int_equal(ves_credential_file_write(test_dir_file, longest, &error),
                     VES_INVALID);
    longest[VES_CREDENTIAL_MAX] = '\0';
    assert_int_equal(ves_credential_file_write(test_dir_file, longest, &error),
                     VES_OK);
    assert_int_equal(ves_credential_file_read(test_dir_file, &text, &error),
                     VES_OK);
    assert_string_equal(text, longest);
    ves_secret_free(text);
}

/* Who owns the file can change it, whatever its mode says. */
static void a_file_of_somebody_else_is_no_secret(void **state)
{
    enum { SOMEBODY = 65534 };
    struct ves_signer *signer = NULL;
    bool is_sealed;

    (void)state;
    if (geteuid() != 0) {
        print_message("only root gives files away\n");
        skip();
    }
    assert_int_equal(
        ves_keyfile_generate(test_dir_file, VES_KEY_AGENT, NULL, NULL, &error),
        VES_OK);
    assert_int_equal(chown(test_dir_file, SOMEBODY, SOMEBODY), 0);
    assert_int_equal(load(horse, &signer), VES_REFUSED);
    assert_non_null(strstr(error.text, "belongs to user 65534"));
    assert_int_equal(ves_keyfile_inspect(test_dir_file, VES_KEY_AGENT, NULL,
                                         &is_sealed, &error),
                     VES_REFUSED);
    assert_int_equal(chown(test_dir_file, 0, 0), 0);
    assert_int_equal(load(horse, &signer), VES_OK);
    ves_signer_free(signer);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, test_dir_clear)
    const struct CMUnitTest tests[] = {
        CASE(a_file_of_somebody_else_is_no_secret),
        CASE(keys_are_kept_in_the_clear_or_sealed),
        CASE(sealed_keys_need_their_passphrase),
        CASE(key_files_have_one_form),
        CASE(altered_sealed_keys_do_not_open),
        CASE(credentials_are_one_line),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("keyfile", tests, set_up_all,
                                       test_dir_remove);
}
