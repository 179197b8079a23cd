/* credential.c -- credential files: one API key each. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/file.h"
#include "os/keyfile.h"

static bool is_good(const char *text, size_t len)
{
    if (len == 0 || len > VES_CREDENTIAL_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

enum ves_status ves_credential_file_write(const char *path,
                                          const char *credential,
                                          struct ves_error *error)
{
    size_t len = strlen(credential);
    if (!is_good(credential, len))
        return ves_fail(error, VES_INVALID,
                        "a credential is 1 to %d printable characters",
                        VES_CREDENTIAL_MAX);
    char *line = ves_secret_new(len + 1);
    if (!line)
        return ves_fail(error, VES_NOMEM, "no memory for a secret");
    memcpy(line, credential, len + 1);
    line[len] = '\n';
    enum ves_status status =
        ves_file_write(path, ves_bytes(line, len + 1), VES_FILE_REPLACE, error);
    ves_secret_free(line);
    return status;
}

enum ves_status ves_credential_file_read(const char *path, char **out,
                                         struct ves_error *error)
{
    size_t len;
    *out = NULL;
    /* One for the newline; its place takes the NUL. */
    char *text = ves_secret_new(VES_CREDENTIAL_MAX + 2);
    if (!text)
        return ves_fail(error, VES_NOMEM, "no memory for a secret");
    enum ves_status status =
        ves_file_read_secret(path, text, VES_CREDENTIAL_MAX + 1, &len, error);
    if (!status && len > 0 && text[len - 1] == '\n')
        len--;
    if (!status && !is_good(text, len))
        status =
            ves_fail(error, VES_MALFORMED,
                     "%s does not hold one line of printable characters", path);
    if (status) {
        ves_secret_free(text);
        return status;
    }
    text[len] = '\0';
    *out = text;
    return VES_OK;
}
