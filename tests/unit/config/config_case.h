/*
 * config_case: a configuration from a text, and what it reports, for the tests of this folder.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_UNIT_CONFIG_CASE_H
#define MQTT2PG_UNIT_CONFIG_CASE_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/memory.h"
#include "config/config.h"
#include "unit.h"

#define SOUND_RULE \
    "\nrules = ( { name = \"r\"; topic = \"a/{b}\"; table = \"t\"; " \
    "columns = { x = \"$.x\"; }; } );\n"

/* Writes a file of the scratch folder, mode 0600, and returns its path (valid until the next
 * call). */
static inline const char *case_write(const char *name, const char *text)
{
    static char path[300];
    snprintf(path, sizeof(path), "%s/%s", unit_scratch(), name);
    remove(path); /* an earlier case may have taken away the right to write it */
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, 0600) != 0) {
        perror(path);
        abort();
    }
    return path;
}

/* All problems, a line each; the scratch folder is "@" where it stands in quotes, and left out
 * elsewhere. */
static inline void case_append_problems(struct buf *out, const struct problems *problems)
{
    const char *folder = unit_scratch();
    size_t length = strlen(folder);
    for (size_t i = 0; i < problems->count; i++) {
        const char *text = problems->list[i].text;
        if (strncmp(text, folder, length) == 0) {
            text += length + 1;
        }
        for (const char *found; (found = strstr(text, folder)) != NULL; text = found + length) {
            bool quoted = found > text && found[-1] == '"';
            buf_append(out, text, (size_t) (found - text));
            buf_append_text(out, quoted ? "@" : "");
            found += quoted ? 0 : 1;
        }
        buf_printf(out, "%s\n", text);
    }
}

/* Loads the text as t.cfg. What it reports must be `expected`, lines that end with "\n". */
static inline struct config *case_load(const char *text, const char *expected)
{
    struct problems problems = {0};
    struct buf lines = {0};
    struct config *config = config_load(case_write("t.cfg", text), &problems);
    case_append_problems(&lines, &problems);
    CHECK_TEXT_EQ(buf_string(&lines), expected);
    buf_fini(&lines);
    problems_fini(&problems);
    return config;
}

/* A configuration in which nothing is wrong, and a sound rule behind it. */
static inline struct config *case_sound(const char *text)
{
    char *whole = memory_printf("%s%s", text, SOUND_RULE);
    struct config *config = case_load(whole, "");
    free(whole);
    CHECK(config != NULL);
    return config;
}

#endif
