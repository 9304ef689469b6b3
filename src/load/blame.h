/*
 * blame: what a batch that PostgreSQL refused with an ERROR means: for messages, for rules, for the
 * database.
 *
 * The SQLSTATE alone does not tell: a trigger may raise any of them for one row. So the scope is
 * found by trying, in a transaction that is always rolled back:
 *
 *   what the trial shows                what follows
 *   ----------------------------------  -----------------------------------------------------------
 *   the statements fail without rows    the run's rules are parked, or held when time may help
 *   some messages fail, others pass     the messages that fail become dead letters
 *   all messages of a rule fail         because of data: dead letters. Otherwise the rule is parked
 *                                       or held; but a message that was alone is rejected, until
 *                                       two were rejected like that in a row
 *   all messages pass now               the cause is gone, or only the whole batch shows it: store
 *                                       the batch again, or half of it
 *   locks or memory were used up        half of the batch (SQLSTATE 53200)
 *
 * Half of a batch is a transaction of its own: a row that refers to a row of the other half is
 * refused. Its message waits in the dead letters until the rest is stored, and is tried once more
 * then (load/loader_later). Only the rows of one message are certain to share a transaction;
 * `retry_for` is for rows of different messages (README.md).
 *
 * Rows are tried message by message in the order of the batch, each in a subtransaction of its own
 * that stays when it passes, so that later rows meet the same rows as in the real transaction. A
 * message that fails because of the table, while others pass, is tried twice: somebody may have put
 * the table right in between. Many messages are tried in one message to the server (pg/pg_steps):
 * the number of round trips does not grow with the number of bad rows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BLAME_H
#define MQTT2PG_LOAD_BLAME_H

#include "load/blame_fate.h"
#include "load/store.h"

/* After store_batch() or retry_letters() has been rolled back. STORE_AGAIN when something was
 * learned: verdicts, parked or held rules, another shape of a table; otherwise what to do. */
enum store_result blame(const struct store *store, const struct batch *batch,
                        struct store_failure *failure) MUST_CHECK;

/* For a message whose batch, alone, has ended the connection several times: all rules that made
 * rows of the message reject it, because nobody knows which row ends the connection. False: no rule
 * made rows of it. */
bool blame_message(const struct store *store, const struct batch *batch,
                   const struct pg_failure *failure);

#endif
