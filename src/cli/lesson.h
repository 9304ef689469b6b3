/*
 * lesson: listens to a broker for a while and proposes rules for what came. For `learn` and `init`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_LESSON_H
#define MQTT2PG_CLI_LESSON_H

#include "base/buf.h"
#include "base/outcome.h"
#include "learn/proposal.h"
#include "mqtt/broker_options.h"

struct lesson;

/* `topic` is a filter in the language of rules, such as 'site/{plant}/#'; borrowed until
 * lesson_free(). NULL, with the reason in `error`, when it is no such filter. */
struct lesson *lesson_new(const char *topic, struct error *error) MUST_CHECK;
void lesson_free(struct lesson *lesson);

/*
 * Listens for `listen_ms`, or until SIGINT or SIGTERM, and tells the progress on standard error.
 * Blocks the signals of this process. False: the broker could not be asked, and the reason has been
 * told.
 */
bool lesson_listen(struct lesson *lesson, const struct broker_options *broker, int64_t listen_ms);

/* How many messages came, without those of bridges about themselves. */
uint64_t lesson_messages(const struct lesson *lesson);

/* Prints to standard error that nothing came, and what a person can look at. */
void lesson_say_nothing_came(const struct lesson *lesson);

/* Makes the proposal: once, after listening, when at least one message came. The caller frees it
 * before the lesson, which it borrows from. */
struct proposal *lesson_propose(struct lesson *lesson);

/* Appends what was seen, as in "51 messages on 12 topics of devices/#". */
void lesson_append_seen(const struct lesson *lesson, struct buf *out);

/* Appends one comment line for each limit that left something out. */
void lesson_append_limits(const struct lesson *lesson, struct buf *out);

#endif
