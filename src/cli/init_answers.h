/*
 * init_answers: the answers that `init` needs, from its options and from a person at a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_INIT_ANSWERS_H
#define MQTT2PG_CLI_INIT_ANSWERS_H

#include "base/arena.h"
#include "cli/cli_call.h"

/* All texts are borrowed from the command line, or lie in `arena`. NULL = not said yet, or none.
 * After init_answers_parse() `output`, `client_id` and `journal` have a value; after their
 * question `broker`, `database` and `topic` have one. */
struct init_answers {
    struct arena *arena; /* owned */
    const char *broker;  /* its URL */
    const char *username;
    const char *password; /* typed by a person; never from the command line, which all can see */
    const char *password_file; /* absolute */
    const char *ca_file;       /* absolute */
    const char *protocol;      /* "5" or "3.1.1"; NULL = the default */
    const char *client_id;
    const char *database;               /* its conninfo */
    const char *database_password_file; /* absolute */
    const char *topic;                  /* a filter in the language of rules */
    const char *journal;                /* its directory */
    const char *http;                   /* where the status page is; "" = off; NULL = the default */
    const char *output;                 /* the file to be written */
    int64_t listen_ms;                  /* more than 0 */
    bool force;                         /* the file may be replaced */
    bool ask;                           /* a person sits at the terminal */
};

/* Reads the options and checks each. CLI_DONE; or CLI_USAGE, and then the mistake was printed.
 * Free the answers in both cases. */
int init_answers_parse(const struct cli_call *call, struct init_answers *answers);
/* Overwrites the password, then frees the arena. */
void init_answers_fini(struct init_answers *answers);

/* Ask for what no option said. An empty line takes the value that stands there, or the default;
 * without a person the defaults are taken. `again`: asks also for what was said before, because it
 * did not work. False at the end of the input. */
bool init_ask_broker(struct init_answers *answers, bool again);
bool init_ask_database(struct init_answers *answers, bool again);
bool init_ask_topic(struct init_answers *answers, bool again);

/* A yes or no; `otherwise` is the answer of an empty line, and without a person. */
bool init_ask_whether(const struct init_answers *answers, const char *question, bool otherwise);

#endif
