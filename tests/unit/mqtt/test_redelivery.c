/*
 * Each case is a script: what arrives, and what it must be taken for.
 *
 *   C  N        connected: session present, no session ("C1": to broker 1)
 *   1.7.A+      QoS 1, packet id 7, payload "A": new
 *   1.7.Ad=     the same with DUP: a repeat
 *   1.7.A!      the same without DUP: a repeat that its broker did not mark
 *   1.7.A<      new, and its id shows that the broker came back with an older session
 *   P           ten seconds pass
 *   B2          at the start: what follows comes from the journal, and came from broker 2 (C1's)
 *
 * What never arrived stands nowhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/redelivery.h"

#include "unit.h"

static const struct {
    const char *name;
    size_t window;
    const char *script;
} cases[] = {
    {"repeat after a reconnect", 10, "C 1.1.A+ 1.2.B+ C 1.1.Ad= 1.2.Bd= 1.3.C+"},
    {"part of it was acknowledged", 10, "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.2.Bd= 1.3.Cd="},
    {"one that never reached us", 10, "C 1.1.A+ C 1.1.Ad= 1.2.Bd+"},
    {"again, because the answer to the repeat got lost too", 10,
     "C 1.1.A+ 1.2.B+ C 1.1.Ad= 1.2.Bd= C 1.1.Ad= 1.2.Bd= C 1.2.Bd="},
    {"no DUP, the first of its connection", 10, "C 1.5.A+ 1.6.B+ C 1.5.A! 1.6.B! 1.7.C+"},
    {"no DUP, after a restart", 10, "1.5.A+ 1.6.B+ C 1.6.B! 1.7.C+"},
    {"no DUP, behind a new message", 10, "C 1.5.A+ 1.6.B+ C 1.7.C+ 1.6.B+"},
    {"no DUP, other payload", 10, "C 1.5.A+ C 1.5.B+"},
    {"no DUP, from a broker that sets it", 10, "C 1.5.A+ 1.6.B+ C 1.6.Bd= C 1.5.A+"},
    {"no DUP, from one that sets it on what we never saw", 10, "C 1.5.A+ C 1.6.Xd+ 1.5.A+"},
    {"no DUP, from a broker that reuses ids", 10, "C 1.5.A+ 1.5.A+ C 1.5.A+"},
    {"no DUP, from a broker that reused ids before a restart", 10, "1.5.A+ 1.5.A+ C 1.5.A+"},
    {"no DUP, long after the connection was made", 10, "C 1.5.A+ 1.6.B+ C P 1.5.A+"},
    {"no DUP, long after the message before", 10, "C 1.5.A+ 1.6.B+ C 1.5.A! P 1.6.B+"},
    {"no DUP, on the same connection", 10, "C 1.5.A+ 1.5.A+"},
    {"no DUP, another broker that sets it", 10, "C0 1.4.A+ C1 1.5.Xd+ C0 1.4.A!"},
    {"no DUP, from a broker that numbers each connection anew", 10,
     "C 1.1.A+ 1.2.A+ C 1.1.A+ 1.2.A+"},
    {"QoS 0", 10, "C 0.0.A+ C 0.0.A+"},
    {"no session", 10, "C 1.1.A+ N 1.1.Ad+"},
    {"no session, no DUP", 10, "C 1.1.A+ N 1.1.A+"},
    {"no session in between", 10, "C 1.1.A+ N C 1.1.Ad+"},
    {"other payload", 10, "C 1.1.A+ C 1.1.Bd+"},
    {"the same connection", 10, "C 1.1.A+ 1.2.B+ 1.1.Ad= 1.1.Ad= 1.2.Bd="},
    {"the same connection, without session", 10, "N 1.1.A+ 1.1.Ad="},
    {"the same connection, id given to another message", 10, "C 1.1.A+ 1.1.B+ 1.1.Ad+"},
    {"the same connection, repeated on the next one too", 10, "C 1.1.A+ 1.1.Ad= C 1.1.Ad= 1.1.Ad="},
    {"the same connection, new with DUP", 10, "C 1.1.Ad+ 1.1.Ad="},
    {"the same connection, numbered anew on the next one", 20,
     "C 1.1.A+ 1.2.B+ 1.1.Ad= 1.3.C+ C 1.1.Bd= 1.1.Bd= 1.2.Cd= 1.3.D+"},
    {"identical message with another id that never reached us", 10,
     "C 1.1.A+ 1.2.A+ C 1.2.Ad= 1.3.Ad+"},
    {"identical messages, all repeated", 10, "C 1.1.A+ 1.2.A+ 1.3.A+ C 1.1.Ad= 1.2.Ad= 1.3.Ad="},
    {"id given to another message since", 10, "C 1.1.A+ 1.1.B+ C 1.1.Ad+"},
    {"id given to another message since, and that one repeated", 10, "C 1.1.A+ 1.1.B+ C 1.1.Bd="},
    {"broker back to an old snapshot gives an id again", 10, "C 1.1.A+ 1.2.B+ C 1.2.F+"},
    {"broker back to an old snapshot repeats what was acknowledged", 10,
     "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.1.Ad= 1.2.Bd= 1.3.Cd="},
    {"window", 2, "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.1.Ad+ 1.3.Cd="},
    {"repeats push nothing out of the window", 3,
     "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.1.Ad= C 1.1.Ad= 1.2.Bd= C 1.1.Ad= 1.2.Bd= 1.3.Cd="},
    {"DUP after a new message", 10, "C 1.1.A+ 1.2.B+ C 1.1.Ad= 1.3.C+ 1.2.Bd="},
    {"out of order", 10, "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.3.Cd= 1.1.Ad= 1.2.Bd="},

    {"QoS 2, whose DUP is hidden", 10, "C 2.1.A+ 2.2.B+ C 2.1.A= 2.2.B="},
    {"QoS 2 after a new QoS 1 message", 10, "C 2.1.A+ 2.2.B+ C 2.1.A= 1.3.C+ 2.2.B="},
    {"QoS 2 after a new QoS 2 message", 10, "C 2.1.A+ 2.2.B+ C 2.1.A= 2.3.C+ 2.2.B="},
    {"QoS 2 after a new one, ids went round", 10, "C 2.65000.A+ 2.5.B+ C 2.6.F+ 2.65000.A="},
    {"QoS 2 after a new one, identical but with an id ahead", 10,
     "C 2.30000.A+ 2.55000.X+ 2.5.B+ C 2.6.F+ 2.30000.A+"},
    {"QoS 2 after a new one, from a broker that reuses ids", 10,
     "C 2.1.A+ 2.1.B+ 2.2.C+ C 2.1.B= 2.3.D+ 2.2.C+"},
    {"QoS 2 after a QoS 1 message that only the broker knew", 10,
     "C 1.1.A+ 2.2.B+ C 1.9.Xd+ 2.2.B="},
    {"QoS 2 mixed with QoS 1", 10, "C 1.1.A+ 2.2.B+ 1.3.C+ C 1.1.Ad= 2.2.B= 1.3.Cd= 1.4.D+"},
    {"QoS 2 in the same connection", 10, "C 2.1.A+ 2.1.A+"},
    {"QoS 2 without session", 10, "C 2.1.A+ N 2.1.A+"},

    {"RabbitMQ numbers anew", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ C 1.1.Ad= 1.2.Cd= 1.3.Dd= 1.4.Ed= 1.5.G+"},
    {"RabbitMQ, twice", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.1.Bd= 1.2.Cd= 1.3.D+ C 1.1.Cd= 1.2.Dd= 1.3.E+"},
    {"RabbitMQ, and one that never reached us", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.1.Cd= 1.2.Xd+ 1.3.D+"},
    {"RabbitMQ, identical to one before the last repeat", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.1.Cd= 1.2.Ad+"},
    {"not numbered from 1: content alone is not enough", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.3.Cd= 1.4.Bd+"},
    {"not from 1 at first, later by chance", 20, "C 1.1.A+ 1.2.B+ 1.3.C+ C 1.7.Xd+ 1.2.Cd+"},

    {"two brokers in turn", 20, "C0 1.1.A+ 1.2.B+ C1 1.1.X+ 1.2.Y+ C0 1.1.Ad= 1.2.Bd= C1 1.1.Xd="},
    {"two brokers that give the same ids", 20,
     "C0 1.5.A+ 1.6.B+ C1 1.5.X+ 1.6.Y+ C0 1.5.Ad= 1.6.Bd= C1 1.5.Xd= 1.6.Yd= C0 1.6.Bd="},
    {"two brokers, id given to another message by the first one since", 20,
     "C0 1.5.A+ C1 1.5.X+ C0 1.5.B+ C1 1.5.Xd= C0 1.5.Ad+"},
    {"two brokers that give the same ids, QoS 2", 20, "C0 2.5.A+ C1 2.5.X+ C0 2.5.A= C1 2.5.X="},
    {"two brokers, one forgets", 20, "C0 1.1.A+ C1 1.5.X+ N1 C0 1.1.Ad="},
    {"two brokers that give the same ids, after a restart", 20,
     "B1 1.5.A+ 1.6.B+ B2 1.5.X+ 1.6.Y+ C0 1.5.Ad= 1.6.Bd= C1 1.5.Xd= 1.6.Yd="},
    {"two brokers, one forgets, after a restart", 20, "B1 1.5.A+ B2 1.5.X+ N1 1.5.Xd+ C0 1.5.Ad="},
    {"two brokers, each with its own order of ids", 20,
     "C0 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ C1 1.5.X+ C0 1.10.J+"},

    {"back with an older session", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ C 1.5.J< 1.6.K+"},
    {"back with an older session, after a restart", 20,
     "B1 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ C 1.5.J<"},
    {"back with the same session, a message had overtaken the queue", 20,
     "C 1.30.Z+ 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ C 1.10.J+ 1.11.K+"},
    {"back with an older session, a message had overtaken the queue", 20,
     "C 1.30.Z+ 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ C 1.5.J< 1.6.K+"},
    {"back with the same session", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ C 1.9.Id= 1.10.Jd+ 1.11.K+"},
    {"back with a new session", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ N 1.5.J+"},
    {"back, from a broker that numbers anew", 20,
     "C 1.1.A+ 1.2.B+ 1.3.C+ 1.4.D+ 1.5.E+ 1.6.F+ 1.7.G+ 1.8.H+ 1.9.I+ C 1.1.Id= 1.2.J+"},
    {"back, from a broker with ids in no order", 20, "C 1.9.A+ 1.7.B+ 1.8.C+ 1.12.D+ C 1.5.J+"},
    {"back, ids went round", 20,
     "C 1.65530.A+ 1.65531.B+ 1.65532.C+ 1.65533.D+ 1.65534.E+ 1.65535.F+ 1.1.G+ 1.2.H+ 1.3.I+ "
     "C 1.4.J+ C 1.65533.K<"},
    {"a session that moves in a cluster", 20, "C0 1.1.A+ 1.2.B+ C1 1.1.Ad= 1.2.Bd="},
};

static void run(struct redelivery *redelivery, const char *step)
{
    static int64_t now_us = 1;
    static uint8_t broker;
    if (step[0] == 'B') {
        broker = (uint8_t) (step[1] - '0');
        return;
    }
    if (step[0] == 'P') {
        now_us += 10000000;
        return;
    }
    if (step[0] == 'C' || step[0] == 'N') {
        broker = step[1] == '\0' ? 1 : (uint8_t) (step[1] - '0' + 1);
        redelivery_connected(redelivery, broker, step[0] == 'C', now_us);
        return;
    }
    int qos = 0;
    int id = 0;
    char payload = '\0';
    int length = 0;
    CHECK(sscanf(step, "%d.%d.%c%n", &qos, &id, &payload, &length) == 3);
    bool duplicate = step[length] == 'd';
    char expected = step[length + duplicate];
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .qos = (uint8_t) qos,
                              .duplicate = duplicate,
                              .broker = broker,
                              .packet_id = (uint16_t) id,
                              .received_at_us = now_us,
                              .topic = slice_of("t"),
                              .payload = slice_make(&payload, 1)};
    enum redelivery_verdict verdict = redelivery_judge(redelivery, &message);
    unit_check(verdict == (expected == '='   ? REDELIVERY_REPEAT
                           : expected == '!' ? REDELIVERY_UNMARKED
                                             : REDELIVERY_NEW),
               __FILE__, __LINE__, step);
    CHECK_INT_EQ(redelivery_went_back(redelivery), expected == '<');
    if (verdict == REDELIVERY_NEW) {
        redelivery_remember(redelivery, &message);
    }
}

static void test_scripts(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].name);
        struct redelivery *redelivery = redelivery_new(cases[i].window);
        char *script = strdup(cases[i].script);
        char *rest = NULL;
        for (char *step = strtok_r(script, " ", &rest); step; step = strtok_r(NULL, " ", &rest)) {
            run(redelivery, step);
            redelivery_check(redelivery);
        }
        free(script);
        redelivery_free(redelivery);
    }
}

/* Topic and payload are not one string. */
static void test_topic_boundary(void)
{
    struct redelivery *redelivery = redelivery_new(4);
    struct message message = {
        .qos = 1, .packet_id = 1, .topic = slice_of("ab"), .payload = slice_of("c")};
    redelivery_remember(redelivery, &message);
    redelivery_connected(redelivery, 0, true, 1);
    message.duplicate = true;
    message.topic = slice_of("a");
    message.payload = slice_of("bc");
    CHECK(redelivery_judge(redelivery, &message) == REDELIVERY_NEW);
    message.topic = slice_of("ab");
    message.payload = slice_of("c");
    CHECK(redelivery_judge(redelivery, &message) == REDELIVERY_REPEAT);
    redelivery_free(redelivery);
}

static struct message numbered(uint32_t number, char *payload)
{
    snprintf(payload, 16, "%u", number);
    return (struct message){.qos = 1,
                            .packet_id = (uint16_t) (number % 65535 + 1),
                            .topic = slice_of("t"),
                            .payload = slice_of(payload)};
}

/* Twenty thousand connections that break at random places, a broker that numbers round and round and
 * marks its repeats or not: nothing is lost, nothing is taken twice. */
static void break_at_random(bool marks)
{
    enum { WINDOW = 20 };
    struct redelivery *redelivery = redelivery_new(WINDOW);
    uint32_t acknowledged = 0; /* what the broker knows to be ours: all below */
    uint32_t journaled = 0;    /* all below are in the journal */
    uint32_t sent = 0;         /* all below were sent before */
    unsigned random = 1;
    unsigned wrong = 0;
    char payload[16];
    for (int connection = 0; connection < 20000; connection++) {
        redelivery_connected(redelivery, 0, true, 1);
        random = random * 1103515245 + 12345;
        uint32_t deliver = acknowledged + (random >> 16) % WINDOW;
        for (uint32_t number = acknowledged; number < deliver; number++) {
            struct message message = numbered(number, payload);
            message.duplicate = marks && number < sent;
            bool repeat = redelivery_judge(redelivery, &message) != REDELIVERY_NEW;
            wrong += repeat != (number < journaled);
            if (!repeat) {
                redelivery_remember(redelivery, &message);
                journaled = number + 1;
            }
        }
        random = random * 1103515245 + 12345;
        uint32_t under_way = (random >> 16) % 5; /* sent and lost on the way */
        sent = deliver + under_way > sent ? deliver + under_way : sent;
        random = random * 1103515245 + 12345;
        acknowledged += deliver > acknowledged ? (random >> 16) % (deliver - acknowledged + 1) : 0;
    }
    redelivery_check(redelivery);
    CHECK_INT_EQ(wrong, 0);
    CHECK(journaled > 70000); /* the packet ids went round */
    redelivery_free(redelivery);
}

static void test_random_breaks(void)
{
    break_at_random(true);
    break_at_random(false);
}

/* Mosquitto, restarted with a long queue, gives ids that are still open to single new messages. On
 * each later connection it repeats both messages of such an id. */
static void test_id_given_while_open(void)
{
    enum { OPEN = 1000, EACH = 50 };
    struct redelivery *redelivery = redelivery_new(2 * OPEN);
    unsigned wrong = 0;
    char payload[16];

    for (int connection = 1; connection <= 4; connection++) {
        struct message ahead = numbered((uint32_t) (OPEN + connection), payload);
        ahead.qos = 2;
        redelivery_connected(redelivery, 0, true, 1);
        if (connection > 1) { /* mixed with the repeats */
            wrong += redelivery_judge(redelivery, &ahead) != REDELIVERY_NEW;
            redelivery_remember(redelivery, &ahead);
        }
        for (uint32_t number = 0; number < OPEN; number++) {
            struct message message = numbered(number, payload);
            message.qos = number % 2 == 0 ? 1 : 2;
            message.duplicate = connection > 1 && message.qos == 1;
            bool repeat = redelivery_judge(redelivery, &message) != REDELIVERY_NEW;
            wrong += repeat != (connection > 1);
            if (!repeat) {
                redelivery_remember(redelivery, &message);
            }
        }
        for (uint32_t number = 0; connection > 1 && number < OPEN / 2; number += EACH) {
            struct message message = numbered(number, payload);
            message.duplicate = connection > 2;
            message.payload = slice_of("other");
            bool repeat = redelivery_judge(redelivery, &message) != REDELIVERY_NEW;
            wrong += repeat != (connection > 2);
            if (!repeat) {
                redelivery_remember(redelivery, &message);
            }
        }
    }
    redelivery_check(redelivery);
    CHECK_INT_EQ(wrong, 0);
    redelivery_free(redelivery);
}

/* A device that says the same for ever, and a broker that numbers round and round: the id of its
 * next message was that of an equal one, 65,535 messages ago. */
static void test_ids_go_round(void)
{
    static const struct {
        int qos;
        bool duplicate; /* it was lost on its way */
        unsigned behind;
        enum redelivery_verdict wanted;
    } each[] = {
        {1, false, 65535, REDELIVERY_NEW},      {2, false, 65535, REDELIVERY_NEW},
        {1, true, 65535, REDELIVERY_NEW},       {1, false, 65000, REDELIVERY_NEW},
        {1, true, 30000, REDELIVERY_REPEAT},    {2, false, 30000, REDELIVERY_REPEAT},
        {1, false, 30000, REDELIVERY_UNMARKED},
    };

    for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        struct redelivery *redelivery = redelivery_new(65535);
        struct message message = {
            .qos = (uint8_t) each[i].qos, .topic = slice_of("alive"), .payload = slice_of("1")};

        UNIT_CASE("case %zu", i);
        redelivery_connected(redelivery, 1, true, 0);
        for (unsigned n = 0; n < each[i].behind; n++) {
            message.packet_id = (uint16_t) ((n + 100) % 65535 + 1);
            redelivery_remember(redelivery, &message);
        }
        redelivery_connected(redelivery, 2, true, 0); /* what others send does not matter */
        for (unsigned id = 1; id <= 65535 - each[i].behind; id++) {
            message.packet_id = (uint16_t) id;
            message.payload = slice_of("2");
            redelivery_remember(redelivery, &message);
        }
        redelivery_connected(redelivery, 1, true, 0);
        message.payload = slice_of("1");
        message.packet_id = 101;
        message.duplicate = each[i].duplicate;
        CHECK_INT_EQ(redelivery_judge(redelivery, &message), each[i].wanted);
        redelivery_free(redelivery);
    }
    UNIT_CASE("%s", "");
}

UNIT_MAIN("redelivery", {"ids go round", test_ids_go_round}, {"scripts", test_scripts},
          {"topic boundary", test_topic_boundary}, {"random breaks", test_random_breaks},
          {"an id is given again while it is open", test_id_given_while_open})
