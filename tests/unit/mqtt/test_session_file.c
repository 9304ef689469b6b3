/* SPDX-License-Identifier: MIT */
#include "mqtt/session_file.h"

#include <sys/stat.h>

#include "unit.h"

static void write_text(const char *text)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/session", unit_scratch());
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void test_round_trip(void)
{
    struct session_file file;
    struct error error;
    session_file_init(&file, unit_scratch(), "plant 7");
    CHECK_INT_EQ(file.count, 0);
    struct session *session = session_file_find(&file, "mqtt://a:1883");
    session->seen_us = 1795405962123456;
    session->state = SESSION_SETTLED;
    session->marks_repeats = true;
    session_hold(session, &(struct subscription){.filter = "a b/%\n/+",
                                                 .qos = 2,
                                                 .identifier = 268435455,
                                                 .retain_handling = RETAIN_DO_NOT_SEND});
    session_hold(session, &(struct subscription){.filter = "$share/g/ü/#", .qos = 1});
    session_hold(session, &(struct subscription){.filter = "$share/g/ü/#", .qos = 0});
    session_hold(session, &(struct subscription){.filter = "gone"});
    session_release(session, "gone");
    subscription_set_add(&session->doubled, &(struct subscription){.filter = "a b/#"});
    session_file_find(&file, "mqtts://b");
    file.last_url = strdup("mqtt://a:1883");
    CHECK_INT_EQ(session_file_save(&file, &error), OUTCOME_OK);
    session_file_fini(&file);

    session_file_init(&file, unit_scratch(), "plant 7");
    CHECK_INT_EQ(file.count, 2);
    CHECK_TEXT_EQ(file.last_url, "mqtt://a:1883");
    session = session_file_find(&file, "mqtt://a:1883");
    CHECK_INT_EQ(session->seen_us, 1795405962123456);
    CHECK_INT_EQ(session->state, SESSION_SETTLED);
    CHECK(session->marks_repeats);
    CHECK_INT_EQ(session->doubled.count, 1);
    CHECK(subscription_set_find(&session->doubled, "a b/#") != NULL);
    CHECK_INT_EQ(session->held.count, 2);
    const struct subscription *held = subscription_set_find(&session->held, "a b/%\n/+");
    CHECK(held != NULL && held->qos == 2 && held->identifier == 268435455 &&
          held->retain_handling == RETAIN_DO_NOT_SEND);
    held = subscription_set_find(&session->held, "$share/g/ü/#");
    CHECK(held != NULL && held->qos == 0);
    CHECK_INT_EQ(session_file_find(&file, "mqtts://b")->state, SESSION_UNKNOWN);
    CHECK(!session_file_find(&file, "mqtts://b")->marks_repeats);
    session_file_fini(&file);

    session_file_init(&file, unit_scratch(), "plant 8"); /* another client has another session */
    CHECK_INT_EQ(file.count, 0);
    CHECK(file.last_url == NULL);
    session_file_fini(&file);
}

static void test_damage(void)
{
    static const char *const texts[] = {
        "",
        "\n",
        "something else\n",
        "mqtt2pg session 2\nclient_id c\n",
        "mqtt2pg session 1\nclient_id d\nbroker mqtt://a\nsettled\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nsubscription 3 0 1 a\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nsubscription 1 0 1\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nsubscription 1 9 1 a\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nsubscription 1 0 268435456 a\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nsubscription 1 0 1 a%G0\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nsubscription 1 0 1 a%00\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nseen x\n",
        "mqtt2pg session 1\nclient_id c\nsettled\n",
        "mqtt2pg session 1\nclient_id c\nbroker mqtt://a\nhello there\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        UNIT_CASE("%s", texts[i]);
        write_text(texts[i]);
        struct session_file file;
        session_file_init(&file, unit_scratch(), "c");
        CHECK_INT_EQ(file.count, 0);
        session_file_fini(&file);
    }
}

/* A pipe in the file's place: it is not waited for, and the next save puts a file there. */
static void test_pipe(void)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/session", unit_scratch());
    (void) unlink(path);
    CHECK_INT_EQ(mkfifo(path, 0600), 0);
    struct session_file file;
    struct error error;
    alarm(10);
    session_file_init(&file, unit_scratch(), "c");
    alarm(0);
    CHECK_INT_EQ(file.count, 0);
    session_file_find(&file, "mqtt://a")->seen_us = 1;
    CHECK_INT_EQ(session_file_save(&file, &error), OUTCOME_OK);
    session_file_fini(&file);
    session_file_init(&file, unit_scratch(), "c");
    CHECK_INT_EQ(file.count, 1);
    session_file_fini(&file);
}

/* In the form of version 0.1.0, which outlives programs. */
static void test_version_1(void)
{
    struct session_file file;
    session_file_init(&file, "tests/data/session-v1", "plant 7");
    CHECK_INT_EQ(file.count, 2);
    CHECK_TEXT_EQ(file.last_url, "mqtt://a:1883");
    const struct session *session = session_file_find(&file, "mqtt://a:1883");
    CHECK_INT_EQ(session->seen_us, 1795405962123456);
    CHECK_INT_EQ(session->state, SESSION_SETTLED);
    CHECK_INT_EQ(session->held.count, 2);
    const struct subscription *held = subscription_set_find(&session->held, "a b/%\n/+");
    CHECK(held != NULL && held->qos == 2 && held->identifier == 268435455 &&
          held->retain_handling == RETAIN_DO_NOT_SEND);
    held = subscription_set_find(&session->held, "$share/g/ü/#");
    CHECK(held != NULL && held->qos == 1 && held->retain_handling == RETAIN_SEND);
    session = session_file_find(&file, "mqtts://b");
    CHECK(session->state == SESSION_CONNECTING && session->seen_us == 1795405000000000);
    session_file_fini(&file);
}

UNIT_MAIN("session_file", {"round trip", test_round_trip}, {"damage", test_damage},
          {"pipe", test_pipe}, {"version 1", test_version_1})
