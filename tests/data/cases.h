/*
 * cases: reads a file of cases that a person can read too:
 *
 *   # a comment
 *   devices/{device}/state → devices/d1/state → device=d1
 *
 * One case a line, its fields separated by " → " and trimmed. \xNN in a field is that byte;
 * (empty) is the empty field. A field that is not there is empty, too. Tests run in the folder
 * that holds tests/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CASES_H
#define MQTT2PG_CASES_H

#include "unit.h"

enum { CASE_FIELDS_MAX = 4 };

struct test_case {
    /* Each a malloc of exactly its length, so that ASan sees reading beyond it. */
    struct slice fields[CASE_FIELDS_MAX];
    size_t count;
};

static inline struct slice case_trim(struct slice text)
{
    while (text.length > 0 && strchr(" \n", text.data[text.length - 1]) != NULL) {
        text.length--;
    }
    while (text.length > 0 && text.data[0] == ' ') {
        text = slice_make(text.data + 1, text.length - 1);
    }
    return slice_is(text, "(empty)") ? slice_make(text.data, 0) : text;
}

/* A copy with \xNN decoded. */
static inline struct slice case_decode(struct slice text)
{
    char *out = malloc(text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned byte;
        if (i + 3 < text.length && sscanf(text.data + i, "\\x%2x", &byte) == 1) {
            out[length++] = (char) byte;
            i += 3;
        } else {
            out[length++] = text.data[i];
        }
    }
    char *exact = malloc(length > 0 ? length : 1);
    memcpy(exact, out, length);
    free(out);
    return slice_make(exact, length);
}

static inline void case_split(const char *line, struct test_case *test)
{
    static const char arrow[] = " → ";
    memset(test, 0, sizeof(*test));
    for (const char *at = line; at != NULL && test->count < CASE_FIELDS_MAX;) {
        const char *end = strstr(at, arrow);
        struct slice field = slice_make(at, end != NULL ? (size_t) (end - at) : strlen(at));
        test->fields[test->count++] = case_decode(case_trim(field));
        at = end != NULL ? end + strlen(arrow) : NULL;
    }
}

/* Calls `run` for each case of tests/data/NAME; the failures name file and line. */
static inline void cases_run(const char *name, void (*run)(const struct test_case *))
{
    char path[200];
    char *line = NULL;
    size_t capacity = 0;
    int number = 0;
    int count = 0;
    snprintf(path, sizeof(path), "tests/data/%s", name);
    FILE *file = fopen(path, "r");
    if (!CHECK(file != NULL)) {
        return;
    }
    while (getline(&line, &capacity, file) >= 0) {
        number++;
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        struct test_case test;
        case_split(line, &test);
        UNIT_CASE("%s:%d", name, number);
        run(&test);
        count++;
        for (size_t i = 0; i < test.count; i++) {
            free((char *) test.fields[i].data);
        }
    }
    UNIT_CASE("%s", name);
    CHECK(count > 0);
    free(line);
    fclose(file);
}

#endif
