/* test_standin.c -- the simulator's signatures notice every change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The stand-in has the names of the real thing, which this program links;
 * here it goes by others. */
#define ves_ed25519_keypair      standin_keypair
#define ves_ed25519_sign         standin_sign
#define ves_ed25519_verify       standin_verify
#define ves_ed25519_is_fit       standin_is_fit
#define ves_ed25519_challenge    standin_challenge
#define ves_ed25519_key_is_valid standin_key_is_valid
#include "sim/ed25519_standin.c"

static void test_round_trip(void **state)
{
    (void)state;
    struct ves_secret_key secret;
    struct ves_public_key key, other;
    struct ves_sig sig, again;
    uint8_t seed[VES_SEED_SIZE] = {1}, message[32] = {2};
    const struct ves_bytes view = ves_bytes(message, sizeof(message));

    standin_keypair(seed, &secret, &key);
    assert_true(standin_key_is_valid(&key));
    standin_sign(&secret, view, &sig);
    standin_sign(&secret, view, &again);
    assert_memory_equal(sig.b, again.b, VES_SIG_SIZE);
    assert_memory_not_equal(sig.b, sig.b + 32, 32);
    assert_true(standin_verify(&key, view, &sig));

    for (size_t bit = 0; bit < 8 * VES_SIG_SIZE; bit++) {
        again = sig;
        again.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(standin_verify(&key, view, &again));
    }
    for (size_t bit = 0; bit < 8 * sizeof(message); bit++) {
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(standin_verify(&key, view, &sig));
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    seed[0] = 2;
    standin_keypair(seed, &secret, &other);
    assert_false(standin_verify(&other, view, &sig));
    memset(other.b, 0, sizeof(other.b));
    assert_false(standin_key_is_valid(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
