/*
 * A secret can come from three places:
 *
 *   the configuration   with a warning when everybody can read that file
 *   a file of its own   read again at each connection, so that a new password needs no reload
 *   the environment     ${NAME} in the configuration
 *
 * Where a secret would be shown, MASK is shown instead. A connection string that cannot be parsed
 * is masked as a whole: it is better to show too little than a password.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/config_expand.h"
#include "config/config_fields.h"
#include "config/config_text.h"

#define MASK "***"

/* Docker mounts secrets here with mode 0444 by default. Such a file is taken, because only this
 * container sees the directory. */
#define CONTAINER_SECRETS "/run/secrets/"

/* Is the file in that directory, after symbolic links are resolved? */
static bool is_container_secret(const char *path)
{
    char *real = realpath(path, NULL);
    bool found = real != NULL && strncmp(real, CONTAINER_SECRETS, strlen(CONTAINER_SECRETS)) == 0;
    free(real);
    return found;
}

/* Does the mode keep others from reading the file? The rules are in the header. */
static bool is_private(const char *path, const struct stat *status)
{
    mode_t allowed = status->st_uid == 0 && geteuid() != 0 ? 0740 : 0700;
    if (is_container_secret(path)) {
        allowed |= 0044;
    }
    return (status->st_mode & 0777 & ~allowed) == 0;
}

bool config_secret_file_is_safe(struct problems *problems, struct place place, const char *what,
                                const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        problem_error(problems, place, what, "could not open file \"%s\": %s", path,
                      strerror(errno));
        return false;
    }
    if (S_ISREG(status.st_mode) && !is_private(path, &status)) {
        problem_error(problems, place, what,
                      "file \"%s\" can be read by others (mode %04o): chmod 600 %s", path,
                      (unsigned) status.st_mode & 07777, path);
        return false;
    }
    return true;
}

void config_secret_read(struct config_reader *reader, const struct config_given *given,
                        const struct setting *secret, void *base)
{
    struct buf content = {0};
    struct error error;
    const char *written = config_text_read(reader, given);
    if (written == NULL || written[0] == '\0') {
        return; /* "${NAME:-}" */
    }
    const char *path = config_source_path(reader->arena, given->place.file, written);
    if (!config_secret_file_is_safe(reader->problems, given->place, given->what, path)) {
        return;
    }
    if (secret_load(path, &content, &error) != OUTCOME_OK) {
        problem_error(reader->problems, given->place, given->what, "%s", error.text);
        return;
    }
    const struct field *field = field_of(secret);
    const char **member = (const char **) ((char *) base + field->offset);
    *member = arena_copy(reader->arena, buf_slice(&content)).data;
    struct stat status;
    /* Remember the path of a regular file, to read it again. A pipe can be read only once. */
    if (field->second != 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        member = (const char **) ((char *) base + field->second);
        *member = path;
    }
    secret_forget(&content);
}

void config_secret_warn(struct problems *problems, const config_setting_t *value, const char *what)
{
    struct place place = config_tree_place(value);
    struct stat status;
    if (config_setting_type(value) == CONFIG_TYPE_STRING &&
        !config_expand_needed(slice_of(config_setting_get_string(value))) &&
        stat(place.file, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0004) != 0) {
        problem_warning(problems, place, what,
                        "a password stands in a file that everybody can read (mode %04o): "
                        "chmod 600 %s, or move it to a password_file",
                        (unsigned) status.st_mode & 07777, place.file);
    }
}

bool config_secret_mask_url(struct buf *out, const char *url)
{
    const char *host = strstr(url, "://");
    const char *at = strrchr(url, '@');
    const char *colon = host == NULL ? NULL : strchr(host + 3, ':');
    if (colon == NULL || at == NULL || colon > at) {
        buf_append_text(out, url);
        return false;
    }
    /* Hide all up to the last "@": a password may contain "@" that should be "%40". */
    buf_append(out, url, (size_t) (colon - url) + 1);
    buf_printf(out, MASK "%s", at);
    return true;
}

/* Does the name contain "password", such as "sslpassword"? */
static bool is_secret_key(struct slice key)
{
    for (size_t i = 0; i + 8 <= key.length; i++) {
        if (strncasecmp(key.data + i, "password", 8) == 0) {
            return true;
        }
    }
    return false;
}

/* Masks a URI of libpq: the password of the user part, and parameters such as "?password=x". A name
 * with "%" is masked too, since it may be "password" in disguise. True when something was
 * masked. */
static bool mask_uri(struct buf *out, const char *uri)
{
    struct buf masked = {0};
    bool found = config_secret_mask_url(&masked, uri);
    const char *at = buf_string(&masked);
    const char *query = strchr(at, '?');
    size_t head = query == NULL ? strlen(at) : (size_t) (query - at);
    buf_append(out, at, head);
    for (at += head; *at != '\0';) { /* "?a=b&c=d": one "?" or "&" with its parameter at a time */
        size_t key = strcspn(at + 1, "=&") + 1;
        size_t whole = strcspn(at + 1, "&") + 1;
        if (at[key] == '=' &&
            (is_secret_key(slice_make(at, key)) || memchr(at, '%', key) != NULL)) {
            buf_append(out, at, key + 1);
            buf_append_text(out, MASK);
            found = true;
        } else {
            buf_append(out, at, whole);
        }
        at += whole;
    }
    buf_fini(&masked);
    return found;
}

/* The length of the value at `at` in libpq's "key = value key = 'quoted \' value'", with its
 * quotes. 0: the value is empty, or its quote is never closed. */
static size_t value_length(const char *at)
{
    size_t length = at[0] == '\'';
    bool quoted = length == 1;
    for (; at[length] != '\0'; length++) {
        if (at[length] == '\\' && at[length + 1] != '\0') {
            length++;
        } else if (quoted && at[length] == '\'') {
            return length + 1;
        } else if (!quoted && ascii_is_space(at[length])) {
            return length;
        }
    }
    return quoted ? 0 : length;
}

/* Appends a list of key = value with passwords masked, and sets *found when there was one. False:
 * it is no such list, and what was appended must not be used. */
static bool mask_pairs(struct buf *out, const char *at, bool *found)
{
    for (at += strspn(at, " \t\n\r\f\v"); *at != '\0'; at += strspn(at, " \t\n\r\f\v")) {
        size_t key = strcspn(at, "= \t\n\r\f\v");
        const char *sign = at + key + strspn(at + key, " \t\n\r\f\v");
        if (*sign != '=' || key == 0) {
            return false;
        }
        const char *value = sign + 1 + strspn(sign + 1, " \t\n\r\f\v");
        size_t length = value_length(value);
        if (length == 0 && *value != '\0') {
            return false;
        }
        /* For libpq "host= password=x" gives the host "password=x". The writer probably meant a
         * password, so it is masked. */
        bool secret =
            is_secret_key(slice_make(at, key)) || is_secret_key(slice_make(value, length));
        buf_printf(out, "%s%.*s=%.*s", out->length == 0 ? "" : " ", (int) key, at,
                   secret ? 3 : (int) length, secret ? MASK : value);
        *found |= secret;
        at = value + length;
    }
    return true;
}

bool config_secret_mask_conninfo(struct buf *out, const char *conninfo)
{
    struct buf pairs = {0};
    bool found = false;
    if (strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0) {
        return mask_uri(out, conninfo);
    }
    if (mask_pairs(&pairs, conninfo, &found)) {
        buf_append_slice(out, buf_slice(&pairs));
    } else {
        buf_append_text(out, MASK); /* libpq cannot parse it either */
        found = true;
    }
    buf_fini(&pairs);
    return found;
}
