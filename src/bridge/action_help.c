/* SPDX-License-Identifier: MIT */
#include "bridge/action_help.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void action_append_lines(struct buf *out, const char *name, const struct buf *lines)
{
    struct slice left = buf_slice(lines);

    buf_printf(out, "\"%s\":[", name);
    for (bool first = true; left.length > 0; first = false) {
        const char *end = memchr(left.data, '\n', left.length);
        size_t length = end == NULL ? left.length : (size_t) (end - left.data);

        buf_append_text(out, first ? "" : ",");
        text_append_json(out, slice_make(left.data, length));
        length += end == NULL ? 0 : 1;
        left = slice_make(left.data + length, left.length - length);
    }
    buf_append_byte(out, ']');
}

void action_append_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":", name);
    text_append_json(out, slice_of(text));
}

bool action_connect(struct pg_connection *connection, struct action *action)
{
    struct error error;

    if (pg_connect(connection, &error) == OUTCOME_OK) {
        return true;
    }
    action_refuse(action, ACTION_UNAVAILABLE, "the database could not be asked: %s", error.text);
    return false;
}

void action_refuse_failure(struct action *action, const struct pg_failure *failure)
{
    action_refuse(action, ACTION_UNAVAILABLE, "the database refused: %s", failure->message);
}

bool action_read_number(struct action *action, enum action_argument argument, int64_t *number)
{
    const char *text = action->arguments[argument];

    assert(argument < ACTION_ARGUMENTS);
    char *end = NULL;

    *number = 0;
    if (text == NULL) {
        return true;
    }
    *number = strtoll(text, &end, 10);
    if (*number > 0 && *end == '\0') {
        return true;
    }
    action_refuse(action, ACTION_BAD_REQUEST, "%s=%.40s is not a number",
                  action_argument_names[argument], text);
    return false;
}

bool action_is_all(const struct action *action)
{
    const char *all = action->arguments[ACTION_ALL];

    return all != NULL && strcmp(all, "1") == 0;
}

void action_answer_count(struct action *action, int64_t count, const char *one, const char *many)
{
    assert(count >= 0 && action->status == 0);
    buf_printf(&action->answer, "{\"count\":%" PRId64 ",\"text\":\"%" PRId64 " %s\"}", count, count,
               count == 1 ? one : many);
    action->status = ACTION_OK;
}
