/*
 * health: what is well and what is not, since when and why, for /readyz, /status.json and people.
 *
 * Set by the stages, read by admin/. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_HEALTH_H
#define MQTT2PG_BASE_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum health_part {
    HEALTH_BROKER,   /* connected and subscribed */
    HEALTH_DATABASE, /* connected, schema usable */
    HEALTH_JOURNAL,  /* has room, takes messages */
    HEALTH_PARTS
};

struct health {
    bool well;
    bool paused;      /* not well, but on purpose: the bridge itself hung up (the broker's part) */
    int64_t since_us; /* wall clock, when `well` last changed */
    char text[256];   /* where connected to, or what is wrong; no secrets */
};

/* The journal's text when somebody deleted its files: no room will come by itself. */
#define HEALTH_JOURNAL_DELETED "its files were deleted: restart to begin a new journal"

extern const char *const health_part_names[HEALTH_PARTS];

void health_set(enum health_part part, bool well, const char *text);
/* Not well on purpose: this process has hung up and waits for room in the journal. The broker needs
 * no attention. */
void health_set_paused(enum health_part part, const char *text);
void health_get(enum health_part part, struct health *out);

/* The last messages that became dead letters, newest first: topic and reason; a payload only while
 * payloads are shown. */
#define HEALTH_REJECTS_MAX 20
struct health_reject {
    int64_t at_us;
    char rule[64];
    char topic[160];
    char reason[256];
    char payload[256]; /* its printable beginning; "" while payloads are not shown */
};
/* `payload` (may be NULL) is forgotten unless payloads are shown. */
void health_add_reject(const char *rule, struct slice topic, const char *reason,
                       const char *payload);
size_t health_rejects(struct health_reject *out, size_t max);

/* The rule's newest reject without its payload, however many rejects of other rules came since.
 * False when there is none. Names are compared as far as health_reject.rule keeps them. */
bool health_last_reject(const char *rule, struct health_reject *out);

/* A rule whose messages wait in the dead letters because its table does not work: since when and
 * why. */
struct health_parked {
    int64_t since_us; /* wall clock, when the rule was parked; the reason may have changed since */
    int64_t messages; /* that wait; -1 = not known yet */
    bool held;        /* the table takes no rows now, as while it is locked */
    char rule[64];
    char reason[256];
};
/* `reason` NULL: the rule works (again). Names are compared as far as health_parked.rule keeps
 * them. */
void health_set_parked(const char *rule, const char *reason);
/* The same for a rule that is held. `reason` is not NULL. */
void health_set_held(const char *rule, const char *reason);
bool health_parked(const char *rule, struct health_parked *out); /* false: it is not */
void health_set_parked_messages(const char *rule, int64_t messages);

/* A rule's topic filter and table, for people; cut off where they do not fit. */
struct health_rule {
    char topic[160];
    char table[130];
    bool removed; /* no longer in force; it was earlier in this process */
};
struct health_rule_words {
    const char *rule, *topic, *table;
};
/* The rules that are in force from now on. Rules that were described before are removed. */
void health_describe_rules(const struct health_rule_words *list, size_t count);
bool health_rule(const char *rule, struct health_rule *out); /* false: nobody has described it */

/* Keys of a rule's payloads that no column takes, so that their values are not stored. */
#define HEALTH_UNTAKEN_MAX 8
struct health_untaken {
    size_t count; /* all that are known; the first HEALTH_UNTAKEN_MAX stand in `keys` */
    char keys[HEALTH_UNTAKEN_MAX][64];
};
/* NULL: none (any more). */
void health_set_untaken(const char *rule, const struct health_untaken *untaken);
bool health_untaken(const char *rule, struct health_untaken *out); /* false: none is known */

/* Why the partitions of a rule's table can't be kept. */
struct health_partitions {
    char rule[64];
    char reason[256];
};
/* NULL: they are kept, or the rule has none. */
void health_set_partitions(const char *rule, const char *reason);
/* False: no reason, or the rule is removed. */
bool health_partitions(const char *rule, struct health_partitions *out);

/* Gaps that nobody has acknowledged, newest first: spans of time from which messages may be
 * missing. */
#define HEALTH_GAPS_MAX 10
struct health_gap {
    int64_t id; /* in the database; 0 = not known yet */
    int64_t noticed_us;
    int64_t from_us;  /* 0 = not known */
    int64_t to_us;    /* 0 = not known */
    int64_t messages; /* -1 = not known */
    char cause[64];
};
void health_add_gap(const struct health_gap *gap);
/* Replaces all gaps by those that the database has: `open` in all, of which `list` holds the
 * newest, newest first. */
void health_set_gaps(const struct health_gap *list, size_t count, size_t open);
size_t health_gaps(struct health_gap *out, size_t max);
size_t health_gaps_open(void); /* how many in all */

/* The newest topic that no rule takes; the metric messages_unmatched_total counts such messages. */
struct health_unmatched {
    int64_t at_us; /* wall clock; 0 = there was none */
    char topic[160];
};
void health_set_unmatched(struct slice topic);
void health_unmatched(struct health_unmatched *out);

/* Dead letters that wait in the database: rejected ones, which a person has to look at. -1 = not
 * known. */
void health_set_letters(int64_t rejected);
int64_t health_letters(void);

/* How far this machine's clock is ahead of PostgreSQL's, in seconds; negative: behind. 0, as at
 * first: no difference is known that must be reported. */
void health_set_clock(int64_t ahead_seconds);
int64_t health_clock(void);

/* "400 days ahead of PostgreSQL's", "12 min behind PostgreSQL's"; the argument is not 0. */
void health_format_clock(struct buf *out, int64_t ahead_seconds);

/*
 * Begins the part of a reason that may quote values of a row: PostgreSQL's DETAIL, and the HINT of
 * a trigger. Dead letters keep that part; logs and health show it only while payloads are shown.
 * The part extends to the end of the reason, so hiding it never hides anything else.
 */
#define HEALTH_DETAIL "; detail: "

/* Cuts HEALTH_DETAIL and all behind it off `reason`, unless payloads are shown. For logs; health
 * does so by itself. */
void health_hide_detail(char *reason);

/* Off at first. Switching it off forgets the payloads that are kept here. */
void health_show_payloads(bool shown);
bool health_payloads_shown(void);

#endif
