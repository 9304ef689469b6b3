/*
 * config_secret: secrets that stand in files of their own, and those that should.
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

/* Reads the file that `given`, the twin NAME_file, names into the secret's member of `base`,
 * without the newline at its end. */
void config_secret_read(struct config_reader *reader, const struct config_given *given,
                        const struct setting *secret, void *base);

/* Is this file there, and can nobody else read it? Owner only; the group too, when it is root's and
 * we are not; everybody, when it stands under /run/secrets. False: the problem is told. */
bool config_secret_file_is_safe(struct problems *problems, struct place place, const char *what,
                                const char *path);

/* Warns of a secret that stands at this place when everybody can read the file. Texts with ${…} are
 * none. */
void config_secret_warn(struct problems *problems, const config_setting_t *value, const char *what);

/* Appends libpq's connection string with each password as "***". True when there was one. */
bool config_secret_mask_conninfo(struct buf *out, const char *conninfo);

/* The same for the user's part of a URL. */
bool config_secret_mask_url(struct buf *out, const char *url);

#endif
