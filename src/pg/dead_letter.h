/*
 * dead_letter: the table `dead_letter`: whole messages that could not become rows, with the reason.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_DEAD_LETTER_H
#define MQTT2PG_PG_DEAD_LETTER_H

#include "core/message.h"
#include "pg/pg_connection.h"
#include "pg/target.h"

struct dead_letter {
    int64_t id; /* 0 before it is stored */
    int64_t failed_at_us;
    const char *rule;              /* borrowed, like all below */
    const struct message *message; /* sequence 0 when it did not come from this journal */
    const char *reason;
    const char *sqlstate; /* "" or NULL = none */
    bool parked;
    /* Of a letter that is parked or waits: members of `properties` for load/inheritance, as
     * load/lineage writes them. NULL: none. */
    const char *former;
    /* Refused for a reason that may pass: the service retries the letter until its rule's retry_for
     * is over, and acknowledges the result then. */
    bool waits;
};

/* The bridge and the journal that the letters' messages come from. */
struct dead_letter_origin {
    const char *client_id; /* borrowed, like below; NULL = not known */
    const char *journal;   /* its UUID as text; NULL = not known */
};

/* Collects letters as rows of COPY BINARY; zero-initialized memory is empty. A topic that is no
 * text is kept with its odd bytes escaped (\xNN) and the original in properties {"topic_bytes":
 * base64}. MQTT 5 properties become a JSON object, see below. `origin` may be NULL, and is not
 * written for a message with sequence 0. */
void dead_letter_append(struct buf *rows, const struct dead_letter_origin *origin,
                        const struct dead_letter *letter);

/*
 * Appends the JSON for the column `properties`, from which sql/embedded/dead-letter-read.sql makes
 * the wire encoding again:
 *   {"payload_format":1,"message_expiry":60,"content_type":"…","response_topic":"…",
 *    "correlation_data":"base64","subscriptions":[1],"user":[["name","value"],…],
 *    "topic_bytes":"base64","duplicate":true,"wire":"base64","whole_bytes":300000,"waits":true}
 * "wire" is present when the original bytes can't be made from the other members (another order,
 * bytes that are no text, unknown properties). Then only "wire" counts. "whole_bytes" is present
 * when only the head of the payload was kept (message_cut), "waits" when `waits` is true. The
 * members of `former` stand behind it.
 */
void dead_letter_properties(struct buf *json, const struct message *message);

/* How the collected rows reach the table, by COPY or by INSERT, without `check`. The caller's. */
struct target *dead_letters_target(const struct pg_connection *connection);

enum letters_wait { LETTERS_ALL, LETTERS_WAITING, LETTERS_REJECTED };

/* Letters in the order of their ids, for retry, healing and the command line. */
struct dead_letter_query {
    const char *client_id;     /* of which bridge; "" = those that name none; NULL = all */
    const char *rule;          /* NULL = all */
    int64_t id;                /* 0 = all */
    const char *ids;           /* these, see dead_letters_choose(); NULL = all */
    const char *rules;         /* only of these rules, as an array; NULL = all */
    int64_t after_id;          /* only later ones */
    int parked;                /* 1 only parked, 0 only not, -1 both */
    enum letters_wait waiting; /* those with `waits`, or without */
    int64_t older_than_us;     /* failed before this time; 0 = all */
    int limit;                 /* 0 = no limit; their payloads are in memory at once */
    bool lock;                 /* FOR UPDATE SKIP LOCKED, inside a transaction */
};

/* Lowers query->limit, which is not 0, to as many letters as have payloads of at most `bytes`
 * together; at least one. */
enum outcome dead_letters_fit(struct pg_connection *connection, struct dead_letter_query *query,
                              int64_t bytes, struct pg_failure *failure) MUST_CHECK;

/* The next letters of several rules, in the order of their ids. */
struct letter_choices {
    const char *const *rules; /* borrowed; their names */
    size_t rule_count;
    int64_t bytes; /* limit on the payloads together; at least one letter is chosen */
    char *ids;     /* owned by the caller: as PostgreSQL writes an array; NULL: there are none */
};

/* Chooses up to query->limit letters, which is not 0; fills in choices->ids. query->rule does not
 * count. */
enum outcome dead_letters_choose(struct pg_connection *connection,
                                 const struct dead_letter_query *query,
                                 struct letter_choices *choices,
                                 struct pg_failure *failure) MUST_CHECK;

/* Fills in choices->ids with the newest parked letters of this client, `count` of each rule;
 * choices->bytes does not count. */
enum outcome dead_letters_newest(struct pg_connection *connection, int count,
                                 struct letter_choices *choices,
                                 struct pg_failure *failure) MUST_CHECK;

/* One letter with its message, copied: `store` owns the bytes. */
struct dead_letter_row {
    struct dead_letter letter; /* points to `message` */
    struct message message;    /* packet_id 0 */
    struct dead_letter_origin origin;
};

struct dead_letter_rows {
    struct dead_letter_row *list; /* owned */
    size_t count;
    struct buf store; /* owned */
};

enum outcome dead_letters_read(struct pg_connection *connection,
                               const struct dead_letter_query *query, struct dead_letter_rows *rows,
                               struct pg_failure *failure) MUST_CHECK;
void dead_letter_rows_fini(struct dead_letter_rows *rows);

/* How many letters of this client wait, counted up to 100,000 each. */
struct dead_letter_counts {
    const char *const *rules; /* borrowed: whose parked letters are wanted */
    size_t rule_count;
    int64_t *parked;          /* borrowed: one number for each of these rules */
    const char *const *known; /* borrowed: all rules */
    size_t known_count;
    int64_t rejected; /* or parked for a rule that is not there: a person has to look at them */
};
enum outcome dead_letters_count(struct pg_connection *connection, struct dead_letter_counts *counts,
                                struct pg_failure *failure) MUST_CHECK;

/* Sets parked[i]: has rules[i] parked letters of this client? One statement for all rules; it reads
 * one letter of each. */
enum outcome dead_letters_parked(struct pg_connection *connection, const char *const *rules,
                                 size_t count, bool *parked, struct pg_failure *failure) MUST_CHECK;

/* The same for letters that the service tries again by itself (`waits`). */
enum outcome dead_letters_wait(struct pg_connection *connection, const char *const *rules,
                               size_t count, bool *waits, struct pg_failure *failure) MUST_CHECK;

/* Inside a transaction, before letters of these rules are read to be stored: until its end no other
 * session takes letters of any of them. *taken is false when another session has them. With `wait`
 * it waits for that session, up to lock_timeout; then `failure` says that another command works on
 * these letters. */
struct letter_lock {
    const char *client_id;
    const char *const *rules; /* borrowed */
    size_t rule_count;
    bool wait;
};
enum outcome dead_letters_lock(struct pg_connection *connection, const struct letter_lock *lock,
                               bool *taken, struct pg_failure *failure) MUST_CHECK;

/* Inside a transaction. */
enum outcome dead_letters_delete(struct pg_connection *connection, const int64_t *ids, size_t count,
                                 struct pg_failure *failure) MUST_CHECK;
/* Inside a transaction: the letter with letter->id failed again. Sets its reason, sqlstate and
 * `waits`, and ends its being parked. The other members of `letter` do not count. */
enum outcome dead_letter_update(struct pg_connection *connection, const struct dead_letter *letter,
                                struct pg_failure *failure) MUST_CHECK;
/* Removes the letters of letters->client_id and letters->rule that failed before
 * letters->older_than_us; other members do not count. Parked letters stay, because
 * they will be stored when their rule works again, unless letters->parked is -1; those with `waits`
 * stay unless a rule is named. *purged: how many were removed. */
enum outcome dead_letters_purge(struct pg_connection *connection,
                                const struct dead_letter_query *letters, int64_t *purged,
                                struct pg_failure *failure) MUST_CHECK;

/* Letters that none of this client's rules can retry. */
struct dead_letter_strays {
    const char *const *known; /* borrowed; names of rules */
    size_t known_count;
    int64_t letters;    /* of this client, whose rule is not among the known ones */
    struct buf rules;   /* their rules' names, for a person; owned by the caller */
    int64_t others;     /* of other clients */
    struct buf clients; /* their client_ids, for a person; owned by the caller */
};
enum outcome dead_letters_find_strays(struct pg_connection *connection,
                                      struct dead_letter_strays *strays,
                                      struct pg_failure *failure) MUST_CHECK;

#endif
