/* SPDX-License-Identifier: MIT */
#include "config/config_stray.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

static const char text_advice[] = "a text stands in double quotes, \"…\"";

/* Advice that depends on the character alone. */
static const struct {
    const char *bytes;
    const char *advice;
} known[] = {
    {"“", "a text stands in straight double quotes, \"…\""},
    {"”", "a text stands in straight double quotes, \"…\""},
    {"„", "a text stands in straight double quotes, \"…\""},
    {"@", "write @include \"FILE\" on a line of its own"},
    {"- ", "this is not YAML: a list stands in ( and ), a group in { and }"},
    {"${", "${NAME} is for texts in quotes"},
    {"--", "a comment begins with #"},
};

/* The code point of a character of UTF-8, of `length` bytes. */
static unsigned code_point(const unsigned char *at, size_t length)
{
    assert(length >= 1 && length <= 4);
    unsigned code = length == 1 ? at[0] : at[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (at[i] & 0x3fU);
    }
    return code;
}

/* Characters that an editor shows as a space or not at all. They come with text that was copied
 * from a page. */
static bool is_invisible(unsigned code)
{
    return code == 0xa0 || code == 0xad || (code >= 0x2000 && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202f) || (code >= 0x205f && code <= 0x2064) ||
           code == 0x3000 || code == 0xfeff;
}

/* The token that stands `back` tokens before the character; NULL when there are not so many. */
static const struct token *token_before(const struct config_source *source, size_t back)
{
    assert(back > 0);
    return back > source->count ? NULL : &source->tokens[source->count - back];
}

static bool is_type(const struct token *token, enum token_type type)
{
    return token != NULL && token->type == type;
}

/* Does the character stand in a setting's name, or where a name may begin? Not behind "=", behind
 * the beginning of a list and behind a number, where a value stands. */
static bool is_in_name(const struct config_source *source)
{
    const struct token *before = token_before(source, 1);
    before = is_type(before, TOKEN_NAME) ? token_before(source, 2) : before;
    return before == NULL || is_type(before, TOKEN_SEPARATOR) || is_type(before, TOKEN_COMMA) ||
           is_type(before, TOKEN_GROUP_OPEN) || is_type(before, TOKEN_TEXT);
}

static const char *advice_for(struct slice text, const struct config_source *source)
{
    if (text.data[0] == '_' && is_type(token_before(source, 1), TOKEN_INTEGER)) {
        return "a number has digits only";
    }
    if ((text.data[0] == '_' || text.data[0] == '.') && is_in_name(source)) {
        return "a name has letters, digits, \"_\" and \"-\", the first is a letter; any other name "
               "stands in a list: ( { name = \"_id\"; value = \"$.x\"; } )";
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t length = strlen(known[i].bytes);
        if (text.length >= length && memcmp(text.data, known[i].bytes, length) == 0) {
            return known[i].advice;
        }
    }
    return text_advice;
}

void config_stray_append(struct buf *out, struct slice text, const struct config_source *source,
                         int quote_line)
{
    size_t length = 1;
    assert(text.length > 0 && quote_line >= 0);
    while (length < text.length && ((unsigned char) text.data[length] & 0xc0) == 0x80) {
        length++;
    }
    unsigned code = code_point((const unsigned char *) text.data, length);
    if (is_invisible(code)) {
        buf_printf(out,
                   "an invisible character, U+%04X, stands here: replace it by a plain space, or "
                   "remove it",
                   code);
        return;
    }
    text_append_printable(out, slice_make(text.data, length), 1);
    if (quote_line > 0) {
        buf_printf(out, " is not expected here (is a closing \" missing in line %d?)", quote_line);
    } else {
        buf_printf(out, " is not expected here: %s", advice_for(text, source));
    }
}
