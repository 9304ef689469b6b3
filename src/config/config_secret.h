/*
 * config_secret: reads secrets from files, warns of exposed ones, and masks them in output.
 *
 * A file is refused when others than its owner can read it: mode 0600 or less. One that belongs to
 * root while the bridge is not root may be readable by its group, 0640, as PostgreSQL allows it for
 * keys: systemd credentials and Kubernetes secrets come like that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_SECRET_H
#define MQTT2PG_CONFIG_CONFIG_SECRET_H

#include "config/config_reader.h"

/* Reads a secret from the file that `given` names (`given` is the setting NAME_file), without the
 * newline at its end, into the secret's member of `base`. Does nothing for an empty name, as from
 * "${NAME:-}". */
void config_secret_read(struct config_reader *reader, const struct config_given *given,
                        const struct setting *secret, void *base);

/* Does the file exist, and is it unreadable for others as described above? Files under /run/secrets
 * may be readable by everybody. False: the problem is reported. */
bool config_secret_file_is_safe(struct problems *problems, struct place place, const char *what,
                                const char *path);

/* Warns when the configuration itself holds this secret and everybody can read the file. A text
 * with ${…} is not warned of: the secret is in the environment. */
void config_secret_warn(struct problems *problems, const config_setting_t *value, const char *what);

/* Appends libpq's connection string, in either form, with each password as "***":
 * "host=db password=x" → "host=db password=***". True when there was one. */
bool config_secret_mask_conninfo(struct buf *out, const char *conninfo);

/* The same for a URL: "mqtt://user:x@broker" → "mqtt://user:***@broker". */
bool config_secret_mask_url(struct buf *out, const char *url);

#endif
