/*
 * broker_secrets: broker_options with the passwords as they are in their files at this moment.
 *
 * A file with a token (a JWT as password, a mounted Kubernetes secret) is renewed while the service
 * runs, so it is read at each attempt to connect. Certificates do not need this: OpenSSL reads
 * their files for each connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_BROKER_SECRETS_H
#define MQTT2PG_MQTT_BROKER_SECRETS_H

#include "base/buf.h"
#include "base/outcome.h"
#include "mqtt/broker_options.h"

struct broker_secrets {
    struct broker_options options; /* a copy, whose passwords point to the members below */
    struct buf password;
    struct buf key_password;
};

/* OUTCOME_RETRY, with the name of the setting, when a file is missing, empty or not text. Borrows
 * `from` until broker_secrets_fini(), which must be called in any case and erases the passwords. */
enum outcome broker_secrets_init(struct broker_secrets *secrets, const struct broker_options *from,
                                 struct error *error) MUST_CHECK;
void broker_secrets_fini(struct broker_secrets *secrets);

#endif
