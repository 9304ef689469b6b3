/* SPDX-License-Identifier: MIT */
#include "route/topic_filter.h"

#include "../data/cases.h"
#include "base/buf.h"
#include "core/topic.h"
#include "unit.h"

/* "a=1 b=null", "yes", "no" */
static void describe_match(const struct topic_filter *filter, struct slice topic, struct buf *out)
{
    struct slice captures[8];
    size_t count;
    const char *const *names = topic_filter_captures(filter, &count);
    if (!topic_filter_match(filter, topic, captures)) {
        buf_append_text(out, "no");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s%s=", i > 0 ? " " : "", names[i]);
        if (captures[i].data == NULL) {
            buf_append_text(out, "null");
        } else {
            buf_append_slice(out, captures[i]);
        }
    }
    if (count == 0) {
        buf_append_text(out, "yes");
    }
}

static void run_topic_case(const struct test_case *test)
{
    struct topic_filter *filter;
    struct error error;
    struct buf seen = {0};
    CHECK_INT_EQ(test->count, 3);
    if (topic_filter_compile(test->fields[0], &filter, &error) != OUTCOME_OK) {
        CHECK_INT_EQ(error.outcome, OUTCOME_REJECT);
        buf_printf(&seen, "error: %s", error.text);
    } else {
        describe_match(filter, test->fields[1], &seen);
        bool matches = topic_filter_match(filter, test->fields[1], NULL);
        CHECK_INT_EQ(matches, !slice_is(buf_slice(&seen), "no"));
        CHECK_INT_EQ(mqtt_filter_matches(slice_of(topic_filter_mqtt(filter)), test->fields[1]),
                     matches);
        topic_filter_free(filter);
    }
    unit_check_slice(buf_slice(&seen), test->fields[2], __FILE__, __LINE__, "what was seen");
    buf_fini(&seen);
}

static void test_cases(void)
{
    cases_run("topic.cases", run_topic_case);
}

static void check_mqtt(const char *text, const char *mqtt)
{
    struct topic_filter *filter;
    struct error error;
    UNIT_CASE("%s", text);
    CHECK_INT_EQ(topic_filter_compile(slice_of(text), &filter, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(topic_filter_mqtt(filter), mqtt);
    topic_filter_free(filter);
}

static void test_mqtt(void)
{
    check_mqtt("devices/{device}/telemetry", "devices/+/telemetry");
    check_mqtt("a/{b...}", "a/#");
    check_mqtt("{b...}", "#");
    check_mqtt("/", "/");
    check_mqtt("//a/+//{x}/", "//a/+//+/");
    topic_filter_free(NULL);
}

/* Two filters that give their captures to the same expressions. */
static void test_arranged(void)
{
    static const char *const names[] = {"x", "y", "z"};
    static const struct {
        const char *text, *topic, *seen;
    } filters[] = {
        {"a/{y}/{x}", "a/1/2", "x=2 y=1 z=null"},     {"b/{z...}", "b", "x=null y=null z=null"},
        {"b/{z...}", "b/c/d", "x=null y=null z=c/d"}, {"{z}/{x}/{y}", "1/2/3", "x=2 y=3 z=1"},
        {"+", "1", "x=null y=null z=null"},
    };
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        struct topic_filter *filter;
        struct error error;
        struct buf seen = {0};
        UNIT_CASE("%s", filters[i].text);
        CHECK_INT_EQ(topic_filter_compile(slice_of(filters[i].text), &filter, &error), OUTCOME_OK);
        topic_filter_arrange(filter, names, 3);
        describe_match(filter, slice_of(filters[i].topic), &seen);
        CHECK_TEXT_EQ(buf_string(&seen), filters[i].seen);
        CHECK_TEXT_EQ(topic_filter_text(filter), filters[i].text);
        buf_fini(&seen);
        topic_filter_free(filter);
    }
}

static void test_own_copy(void)
{
    char text[] = "a/{b}/c";
    struct topic_filter *filter;
    struct error error;
    struct slice capture;
    size_t count;
    CHECK_INT_EQ(topic_filter_compile(slice_of(text), &filter, &error), OUTCOME_OK);
    memset(text, 'x', sizeof(text) - 1);
    CHECK(topic_filter_match(filter, slice_of("a/1/c"), &capture));
    CHECK_SLICE_EQ(capture, "1");
    CHECK_TEXT_EQ(topic_filter_captures(filter, &count)[0], "b");
    CHECK_INT_EQ(count, 1);
    topic_filter_free(filter);
}

static void test_longest(void)
{
    enum { LONGEST = 65535 };
    static char text[LONGEST + 1];
    struct topic_filter *filter;
    struct error error;
    memset(text, 'a', sizeof(text));
    CHECK_INT_EQ(topic_filter_compile(slice_make(text, LONGEST), &filter, &error), OUTCOME_OK);
    CHECK(topic_filter_match(filter, slice_make(text, LONGEST), NULL));
    CHECK(!topic_filter_match(filter, slice_make(text, LONGEST - 1), NULL));
    topic_filter_free(filter);
    CHECK(topic_is_publishable(slice_make(text, LONGEST)));
    CHECK(!topic_is_publishable(slice_make(text, LONGEST + 1)));
    CHECK_INT_EQ(topic_filter_compile(slice_make(text, LONGEST + 1), &filter, &error),
                 OUTCOME_REJECT);
    CHECK_TEXT_EQ(error.text, "65536 bytes, and MQTT takes at most 65535");

    memset(text, '/', sizeof(text)); /* as many levels as there can be */
    CHECK_INT_EQ(topic_filter_compile(slice_make(text, LONGEST), &filter, &error), OUTCOME_OK);
    CHECK(topic_filter_match(filter, slice_make(text, LONGEST), NULL));
    CHECK(!topic_filter_match(filter, slice_make(text, LONGEST - 1), NULL));
    topic_filter_free(filter);
}

static void test_publishable(void)
{
    CHECK(topic_is_publishable(slice_of("a")));
    CHECK(topic_is_publishable(slice_of("/")));
    CHECK(topic_is_publishable(slice_of("$SYS/ü")));
    CHECK(!topic_is_publishable(slice_of("")));
    CHECK(!topic_is_publishable((struct slice){0}));
    CHECK(!topic_is_publishable(slice_of("a/+")));
    CHECK(!topic_is_publishable(slice_of("a#")));
    CHECK(!topic_is_publishable(slice_make("a\0b", 3)));
    CHECK(!topic_is_publishable(slice_of("a/\xff")));
}

/* --- relations, against trying all topics ----------------------------------------------------- */

/* Filters and topics of up to three levels out of a few words: whatever tells two filters apart
 * shows within one level more than they have. */
enum { LEVELS_MAX = 3, TEXT_MAX = 16, FILTERS_MAX = 400, TOPICS_MAX = 800 };

static char all_filters[FILTERS_MAX][TEXT_MAX];
static size_t all_filter_count;
static char all_topics[TOPICS_MAX][TEXT_MAX];
static size_t all_topic_count;

/* All texts of one to `levels` of the words; "#" ends one. */
static void list_all(char (*list)[TEXT_MAX], size_t *count, const char *const *words, int levels)
{
    size_t from = 0;
    for (const char *const *word = words; *word != NULL; word++) {
        snprintf(list[(*count)++], TEXT_MAX, "%s", *word);
    }
    for (int level = 1; level < levels; level++) {
        size_t to = *count;
        for (; from < to; from++) {
            const char *last = strrchr(list[from], '/');
            bool ended = strcmp(last != NULL ? last + 1 : list[from], "#") == 0;
            for (const char *const *word = words; *word != NULL && !ended; word++) {
                snprintf(list[*count], TEXT_MAX, "%s/%s", list[from], *word);
                (*count)++;
            }
        }
    }
}

static bool matches[FILTERS_MAX][TOPICS_MAX];

static void fill_matches(void)
{
    for (size_t i = 0; i < all_filter_count; i++) {
        for (size_t k = 0; k < all_topic_count; k++) {
            matches[i][k] = mqtt_filter_matches(slice_of(all_filters[i]), slice_of(all_topics[k]));
        }
    }
}

static void check_relations(size_t left, size_t right)
{
    bool overlap = false;
    bool covers = true;
    for (size_t t = 0; t < all_topic_count; t++) {
        overlap |= matches[left][t] && matches[right][t];
        covers &= matches[left][t] || !matches[right][t];
    }
    struct slice a = slice_of(all_filters[left]);
    struct slice b = slice_of(all_filters[right]);
    UNIT_CASE("%.*s and %.*s", TEXT_MAX, all_filters[left], TEXT_MAX, all_filters[right]);
    CHECK_INT_EQ(mqtt_filters_overlap(a, b), overlap);
    CHECK_INT_EQ(mqtt_filter_covers(a, b), covers);
}

static void test_relations(void)
{
    static const char *const filter_words[] = {"", "a", "$", "+", "#", NULL};
    static const char *const topic_words[] = {"", "a", "b", "$", "$b", NULL};
    list_all(all_filters, &all_filter_count, filter_words, LEVELS_MAX);
    list_all(all_topics, &all_topic_count, topic_words, LEVELS_MAX + 1);
    CHECK(all_filter_count > 100 && all_filter_count <= FILTERS_MAX);
    CHECK(all_topic_count > 500 && all_topic_count <= TOPICS_MAX);

    fill_matches();
    for (size_t i = 0; i < all_filter_count; i++) {
        for (size_t k = 0; k < all_filter_count; k++) {
            check_relations(i, k);
        }
    }
}

UNIT_MAIN("topic_filter", {"cases", test_cases}, {"mqtt", test_mqtt}, {"arranged", test_arranged},
          {"own copy", test_own_copy}, {"longest", test_longest}, {"publishable", test_publishable},
          {"relations", test_relations})
