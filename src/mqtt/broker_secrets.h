/*
 * broker_secrets: broker_options with the passwords that their files hold at this moment.
 *
 * A file with a token (a JWT as password, a mounted Kubernetes secret) is renewed while the service
 * runs, so it is read at each attempt to connect. Certificates need nothing of the kind: OpenSSL
 * reads their files for each connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_BROKER_SECRETS_H
#define MQTT2PG_MQTT_BROKER_SECRETS_H

#include "base/buf.h"
#include "base/outcome.h"
#include "mqtt/broker_options.h"

struct broker_secrets {
    struct broker_options options; /* a copy, whose passwords point to what follows */
    struct buf password;
    struct buf key_password;
};

/* OUTCOME_RETRY with the name of the setting: a file is missing, empty or no text. `from` is
 * borrowed until broker_secrets_fini(), which is to be called in any case and forgets the
 * passwords. */
enum outcome broker_secrets_init(struct broker_secrets *secrets, const struct broker_options *from,
                                 struct error *error) MUST_CHECK;
void broker_secrets_fini(struct broker_secrets *secrets);

#endif
