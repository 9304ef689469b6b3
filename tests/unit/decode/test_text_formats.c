/* SPDX-License-Identifier: MIT */
#include "decode/decode_csv.h"
#include "format_case.h"
#include "unit.h"

enum { NAMES_MAX = 8 };

/* "header delimiter=; names=a,b quote=' comment=#": the settings of a case. "tab", "none" and
 * "space" stand for what can't be written here. */
static void read_csv_options(char *words, struct csv_options *csv, struct option_text *names)
{
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        value = value == NULL ? word : value + 1;
        const char *text = strcmp(value, "tab") == 0    ? "\t"
                           : strcmp(value, "none") == 0 ? ""
                                                        : value;
        if (strncmp(word, "delimiter=", 10) == 0) {
            csv->delimiter.text = text;
        } else if (strncmp(word, "quote=", 6) == 0) {
            csv->quote.text = text;
        } else if (strncmp(word, "comment=", 8) == 0) {
            csv->comment.text = text;
        } else if (strncmp(word, "names=", 6) == 0) {
            char *more = NULL;
            csv->names = names;
            for (char *name = strtok_r(value, ",", &more); name != NULL;
                 name = strtok_r(NULL, ",", &more)) {
                names[csv->name_count++].text = name;
            }
        } else {
            CHECK_TEXT_EQ(word, "header");
            csv->header = true;
        }
    }
}

static void run_csv(const struct test_case *test)
{
    struct format_options options = {0};
    struct option_text names[NAMES_MAX] = {{0}};
    struct place place = {0};
    struct error error;
    void *state;
    char *words = calloc(test->fields[0].length + 1, 1); /* the field ends in no NUL */
    memcpy(words, test->fields[0].data, test->fields[0].length);
    CHECK_INT_EQ(test->count, 3);
    read_csv_options(words, &options.csv, names);
    CHECK_INT_EQ(decode_csv_prepare(&options, &state, &place, &error), OUTCOME_OK);
    format_case_check("csv",
                      &(struct decode_input){.payload = test->fields[1], .options = &options},
                      test->fields[2]);
    free(words);
}

static void run_influx(const struct test_case *test)
{
    static const char *const names[] = {"ns", "us", "ms", "s"};
    struct format_options options = {0};
    CHECK_INT_EQ(test->count, 3);
    for (unsigned i = 0; i < 4; i++) {
        if (slice_is(test->fields[0], names[i])) {
            options.influx.precision = (enum time_precision) i;
        }
    }
    format_case_check("influx",
                      &(struct decode_input){.payload = test->fields[1], .options = &options},
                      test->fields[2]);
}

static void test_csv(void)
{
    cases_run("csv.cases", run_csv);
}

static void test_influx(void)
{
    cases_run("influx.cases", run_influx);
}

static void test_csv_settings(void)
{
    static const struct {
        const char *delimiter;
        const char *quote;
        const char *name;
        const char *reason;
    } cases[] = {
        {";", "'", "b", ""},
        {NULL, NULL, "b", ""},
        {"", "'", "b", "delimiter is one ASCII character, like \";\""},
        {"::", "'", "b", "delimiter is one ASCII character, like \";\""},
        {"\n", "'", "b", "delimiter is one ASCII character, like \";\""},
        {"é", "'", "b", "delimiter is one ASCII character, like \";\""},
        {";", "\"\"", "b", "quote is one ASCII character, or \"\" for none"},
        {"'", "'", "b", "delimiter and quote are the same character"},
        {"\"", NULL, "b", "delimiter and quote are the same character"},
        {";", "'", "a", "the name \"a\" stands in names twice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct option_text names[] = {{.text = "a"}, {.text = cases[i].name}};
        struct format_options options = {.csv = {.delimiter.text = cases[i].delimiter,
                                                 .quote.text = cases[i].quote,
                                                 .names = names,
                                                 .name_count = 2}};
        struct place place = {0};
        struct error error = {0};
        void *state;
        UNIT_CASE("%zu", i);
        CHECK_INT_EQ(decode_csv_prepare(&options, &state, &place, &error) == OUTCOME_OK,
                     cases[i].reason[0] == '\0');
        CHECK_TEXT_EQ(error.text, cases[i].reason);
    }
}

UNIT_MAIN("text formats", {"CSV", test_csv}, {"settings of CSV", test_csv_settings},
          {"Influx line protocol", test_influx})
