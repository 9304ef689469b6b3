/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { SECRET_BYTES_MAX = 65535 };

/* An editor adds the newline at the end, on Windows with a carriage return: neither is part of the
 * secret. */
enum outcome secret_load(const char *path, struct buf *out, struct error *error)
{
    enum outcome outcome = file_load(path, SECRET_BYTES_MAX, out, error);
    if (outcome != OUTCOME_OK) {
        error->outcome = outcome = OUTCOME_REJECT;
    } else {
        if (out->length > 0 && out->data[out->length - 1] == '\n') {
            out->length--;
            out->length -= out->length > 0 && out->data[out->length - 1] == '\r';
        }
        if (out->length == 0) {
            outcome = error_set(error, OUTCOME_REJECT, "file \"%s\" is empty", path);
        } else if (text_has_nul(buf_slice(out)) || !text_is_utf8(buf_slice(out))) {
            outcome = error_set(error, OUTCOME_REJECT,
                                "file \"%s\" holds a NUL byte or is not UTF-8", path);
        }
    }
    if (outcome != OUTCOME_OK) {
        secret_forget(out);
    }
    return outcome;
}

void secret_forget(struct buf *secret)
{
    if (secret->data != NULL) {
        explicit_bzero(secret->data, secret->capacity);
    }
    buf_fini(secret);
}
