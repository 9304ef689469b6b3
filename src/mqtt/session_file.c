/* SPDX-License-Identifier: MIT */
#include "mqtt/session_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

static const char file_name[] = "session";
static const char first_line[] = "mqtt2pg session 1";

/* Room for thousands of subscriptions; a larger file was not written by the bridge. */
#define SESSION_BYTES_MAX ((size_t) 64 * 1024 * 1024)

static void append_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char) *text;
        if (byte <= ' ' || byte == '%' || byte == 0x7f) {
            buf_printf(out, "%%%02X", (unsigned) byte);
        } else {
            buf_append_byte(out, byte);
        }
    }
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Undoes append_escaped() in place; false when a % is not followed by two digits. */
static bool unescape(char *text)
{
    char *out = text;
    for (char *in = text; *in != '\0'; in++) {
        char byte = *in;
        if (byte == '%') {
            int high = hex_value(in[1]);
            int low = high < 0 ? -1 : hex_value(in[2]);
            if (low < 0 || high * 16 + low == 0) {
                return false;
            }
            byte = (char) (high * 16 + low);
            in += 2;
        }
        assert(out <= in);
        *out++ = byte;
    }
    *out = '\0';
    return true;
}

void session_forget(struct session *session)
{
    subscription_set_fini(&session->held);
    subscription_set_fini(&session->asked);
    subscription_set_fini(&session->doubled);
}

static void session_fini(struct session *session)
{
    free(session->url);
    session_forget(session);
}

static void sessions_forget(struct session_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        session_fini(&file->list[i]);
    }
    free(file->list);
    free(file->last_url);
    file->list = NULL;
    file->count = 0;
    file->last_url = NULL;
}

static bool subscription_parse(struct session *session, const char *text)
{
    unsigned qos = 0;
    unsigned retain = 0;
    uint32_t identifier = 0;
    int length = 0;
    if (sscanf(text, "%u %u %" SCNu32 " %n", &qos, &retain, &identifier, &length) != 3 ||
        length == 0 || qos > 2 || retain > RETAIN_DO_NOT_SEND ||
        identifier > SUBSCRIPTION_IDENTIFIER_MAX) {
        return false;
    }
    char *filter = memory_strdup(text + length);
    bool sound = unescape(filter) && filter[0] != '\0';
    if (sound) {
        session_hold(session,
                     &(struct subscription){.filter = filter,
                                            .qos = (uint8_t) qos,
                                            .retain_handling = (enum retain_handling) retain,
                                            .identifier = identifier});
    }
    free(filter);
    return sound;
}

/* Reads one line; *session is the session that the lines belong to. False when the line makes no
 * sense. */
static bool line_parse(struct session_file *file, struct session **session, char *line)
{
    char *value = strchr(line, ' ');
    if (value != NULL) {
        *value++ = '\0';
    }
    if (strcmp(line, "settled") == 0 && *session != NULL) {
        (*session)->state = SESSION_SETTLED;
        return true;
    }
    if (strcmp(line, "connecting") == 0 && *session != NULL) {
        (*session)->state = SESSION_CONNECTING;
        return true;
    }
    if (strcmp(line, "marks_repeats") == 0 && *session != NULL) {
        (*session)->marks_repeats = true;
        return true;
    }
    if (value == NULL) {
        return false;
    }
    if (strcmp(line, "seen") == 0 && *session != NULL) {
        return sscanf(value, "%" SCNd64, &(*session)->seen_us) == 1;
    }
    if (strcmp(line, "subscription") == 0 && *session != NULL) {
        return subscription_parse(*session, value);
    }
    if (!unescape(value)) {
        return false;
    }
    if (strcmp(line, "broker") == 0) {
        *session = session_file_find(file, value);
        return true;
    }
    if (strcmp(line, "doubled") == 0 && *session != NULL) {
        subscription_set_add(&(*session)->doubled, &(struct subscription){.filter = value});
        return true;
    }
    if (strcmp(line, "last") == 0) {
        free(file->last_url);
        file->last_url = memory_strdup(value);
        return true;
    }
    return strcmp(line, "client_id") == 0 && strcmp(value, file->client_id) == 0;
}

static bool content_parse(struct session_file *file, char *content)
{
    struct session *session = NULL;
    char *rest = NULL;
    char *line = strtok_r(content, "\n", &rest);
    bool sound = line != NULL && strcmp(line, first_line) == 0;
    while (sound && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
        sound = line_parse(file, &session, line);
    }
    return sound;
}

void session_file_init(struct session_file *file, const char *directory, const char *client_id)
{
    *file = (struct session_file){.directory = memory_strdup(directory),
                                  .client_id = memory_strdup(client_id)};
    struct buf content = {0};
    struct error error = {0};
    char *path = memory_printf("%s/%s", directory, file_name);
    errno = 0;
    if (file_load_regular(path, SESSION_BYTES_MAX, &content, &error) != OUTCOME_OK) {
        if (errno != ENOENT) {
            log_warn("could not read the file with the broker's session",
                     F_TEXT("reason", error.text));
        }
    } else {
        buf_append_byte(&content, '\0');
        if (!content_parse(file, content.data)) {
            log_warn("the file with the broker's session is of another client_id or damaged, "
                     "ignoring it",
                     F_TEXT("file", path));
            sessions_forget(file);
        }
    }
    free(path);
    buf_fini(&content);
}

void session_file_fini(struct session_file *file)
{
    sessions_forget(file);
    free(file->directory);
    free(file->client_id);
    *file = (struct session_file){0};
}

struct session *session_file_find(struct session_file *file, const char *url)
{
    for (size_t i = 0; i < file->count; i++) {
        if (strcmp(file->list[i].url, url) == 0) {
            return &file->list[i];
        }
    }
    file->list = memory_resize(file->list, (file->count + 1) * sizeof(file->list[0]));
    struct session *session = &file->list[file->count++];
    *session = (struct session){.url = memory_strdup(url)};
    return session;
}

uint8_t session_file_number(const struct session_file *file, const struct session *session)
{
    size_t index = (size_t) (session - file->list);
    assert(index < file->count);
    return index < MESSAGE_BROKER_MAX ? (uint8_t) (index + 1) : 0;
}

static void subscriptions_print(struct buf *out, const struct subscription_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct subscription *each = &set->list[i];

        buf_printf(out, "subscription %d %d %" PRIu32 " ", each->qos, (int) each->retain_handling,
                   each->identifier);
        append_escaped(out, each->filter);
        buf_append_byte(out, '\n');
    }
}

static void session_print(struct buf *out, const struct session *session)
{
    assert(session->state != SESSION_SETTLED || session->asked.count == 0);
    buf_append_text(out, "broker ");
    append_escaped(out, session->url);
    buf_printf(out, "\nseen %" PRId64 "\n%s%s%s", session->seen_us,
               session->state == SESSION_SETTLED ? "settled\n" : "",
               session->state == SESSION_CONNECTING ? "connecting\n" : "",
               session->marks_repeats ? "marks_repeats\n" : "");
    subscriptions_print(out, &session->asked);
    /* written last, so that it counts for a filter that stands in both lists */
    subscriptions_print(out, &session->held);
    for (size_t i = 0; i < session->doubled.count; i++) {
        buf_append_text(out, "doubled ");
        append_escaped(out, session->doubled.list[i].filter);
        buf_append_byte(out, '\n');
    }
}

enum outcome session_file_save(const struct session_file *file, struct error *error)
{
    struct buf content = {0};
    buf_printf(&content, "%s\nclient_id ", first_line);
    append_escaped(&content, file->client_id);
    buf_append_byte(&content, '\n');
    for (size_t i = 0; i < file->count; i++) {
        session_print(&content, &file->list[i]);
    }
    if (file->last_url != NULL) {
        buf_append_text(&content, "last ");
        append_escaped(&content, file->last_url);
        buf_append_byte(&content, '\n');
    }
    enum outcome outcome;
    int directory = open(file->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        outcome =
            error_errno(error, OUTCOME_RETRY, "could not open directory \"%s\"", file->directory);
    } else {
        outcome = file_replace(directory, file_name, buf_slice(&content), error);
        close(directory);
    }
    buf_fini(&content);
    return outcome;
}

static void set_remove(struct subscription_set *set, const char *filter)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->list[i].filter, filter) == 0) {
            struct subscription removed = set->list[i]; /* `filter` may be its text: freed last */

            set->list[i] = set->list[--set->count];
            free(removed.covered_by);
            free(removed.filter);
            return;
        }
    }
}

void session_release(struct session *session, const char *filter)
{
    if (subscription_set_find(&session->held, filter) != NULL) {
        set_remove(&session->held, filter);
    } else {
        set_remove(&session->asked, filter);
    }
}

bool session_ask(struct session *session, const struct subscription_set *wanted)
{
    bool any = false;

    session->state = SESSION_UNKNOWN;
    for (size_t i = 0; i < wanted->count; i++) {
        const struct subscription *each = &wanted->list[i];
        bool held =
            each->covered_by != NULL || subscription_set_find(&session->held, each->filter) != NULL;

        if (!held && subscription_set_find(&session->asked, each->filter) == NULL) {
            subscription_set_add(&session->asked, each);
        }
        any = any || !held;
    }
    return any;
}

void session_hold(struct session *session, const struct subscription *subscription)
{
    assert(subscription->filter[0] != '\0' && subscription->qos <= 2);
    session_release(session, subscription->filter);
    subscription_set_add(&session->held, subscription);
}
