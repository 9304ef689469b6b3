/* SPDX-License-Identifier: MIT */
#include "mqtt/broker_secrets.h"

#include <string.h>

#include "base/secret.h"

/* Reads one file; leaves the password as it is when there is none. */
static enum outcome read_one(struct buf *out, const char *setting, const char *path,
                             const char **password, struct error *error)
{
    if (path == NULL) {
        return OUTCOME_OK;
    }
    enum outcome outcome = secret_load(path, out, error);
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "%s", setting);
        error->outcome = OUTCOME_RETRY;
        return OUTCOME_RETRY;
    }
    *password = buf_string(out);
    return OUTCOME_OK;
}

enum outcome broker_secrets_init(struct broker_secrets *secrets, const struct broker_options *from,
                                 struct error *error)
{
    *secrets = (struct broker_secrets){.options = *from};
    struct broker_options *options = &secrets->options;
    enum outcome outcome = read_one(&secrets->password, "broker.password_file", from->password_file,
                                    &options->password, error);
    if (outcome == OUTCOME_OK) {
        outcome = read_one(&secrets->key_password, "broker.tls.key_password_file",
                           from->tls.key_password_file, &options->tls.key_password, error);
    }
    return outcome;
}

void broker_secrets_fini(struct broker_secrets *secrets)
{
    secret_forget(&secrets->password);
    secret_forget(&secrets->key_password);
}
