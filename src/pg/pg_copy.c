/*
 * COPY … FROM STDIN; the contract is in pg_connection.h.
 *
 * An early error. After an error the server goes on reading rows and throws them away, until the
 * client ends the COPY. libpq does not show the error while a COPY is under way: PQisBusy() is
 * false, PQgetResult() says COPY_IN again. But libpq handles notices. So when bytes came, and no
 * notice explains them one chunk later, we end the COPY with CopyFail. A server that has failed
 * ignores CopyFail, and we read its error. A server that had not failed answers 57014 with our own
 * words: then the batch is tried again, and this connection does not look for early errors any
 * more.
 *
 * poll(2) shows that bytes came. But libpq also reads by itself, unnoticed, when the socket takes
 * less than it was given (pqSendSome() in fe-misc.c). So a chunk is no larger than the room of the
 * socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fault.h"
#include "pg/pg_quote.h"
#include "pg/pg_session.h"

enum { CHUNK_BYTES_MIN = 16 * 1024, CHUNK_BYTES_MAX = 256 * 1024 };

static const char early_end[] = "mqtt2pg ends this COPY, for the server said something";

/* Signs of an error during this COPY. */
struct news {
    unsigned inputs;
    unsigned notices;
    bool unexplained; /* bytes came that no notice has explained */
};

static struct news news_now(const struct pg_connection *connection)
{
    return (struct news){.inputs = connection->inputs, .notices = connection->notices};
}

/* Must the COPY end early? Called between chunks. New bytes may turn out to be a notice within one
 * chunk: libpq may have read only the first part of it. */
static bool news_are_bad(struct news *news, struct pg_connection *connection)
{
    if (PQstatus(connection->pg) != CONNECTION_OK) {
        return true;
    }
    PQisBusy(connection->pg); /* handles the notices that have come */

    struct news now = news_now(connection);
    bool noticed = now.notices != news->notices;
    bool bad = news->unexplained && !noticed;
    now.unexplained = !noticed && (bad || now.inputs != news->inputs);
    *news = now;
    return bad && !connection->early_check_off;
}

/* How many bytes the socket should take without blocking: half of the free room, because the kernel
 * also counts its own bookkeeping against SO_SNDBUF (socket(7)). SIOCOUTQ gives the bytes that are
 * not acknowledged (tcp(7)), on a Unix socket those that are not read (unix(7)). */
static size_t chunk_bytes(int fd)
{
    int size = 0;
    int used = 0;
    socklen_t length = sizeof(size);
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &length) < 0 ||
        ioctl(fd, SIOCOUTQ, &used) < 0) {
        return CHUNK_BYTES_MIN;
    }
    int room = (size - used) / 2;
    return (size_t) (room < CHUNK_BYTES_MIN   ? CHUNK_BYTES_MIN
                     : room > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX
                                              : room);
}

enum send { SEND_DONE, SEND_ENDED_EARLY, SEND_FAILED };

/* Gives one part to libpq, chunk by chunk, never more than a chunk ahead of the socket. */
static enum send send_part(struct pg_connection *connection, struct slice part, struct news *news,
                           struct pg_failure *failure)
{
    for (size_t at = 0; at < part.length;) {
        if (pg_session_wait_writable(connection, failure) != OUTCOME_OK) {
            return SEND_FAILED;
        }
        if (news_are_bad(news, connection)) {
            return SEND_ENDED_EARLY;
        }
        size_t room = chunk_bytes(PQsocket(connection->pg));
        size_t length = part.length - at < room ? part.length - at : room;
        assert(length > 0 && length <= CHUNK_BYTES_MAX);
        /* 0: libpq has no room. The same chunk is offered again after the flush. */
        int taken = PQputCopyData(connection->pg, part.data + at, (int) length);
        if (taken < 0) {
            return SEND_ENDED_EARLY;
        }
        at += taken > 0 ? length : 0;
        if (pg_session_flush(connection, failure) != OUTCOME_OK) {
            return SEND_FAILED;
        }
        if (FAULT("pg.copy.chunk")) {
            pg_disconnect(connection);
            pg_failure_set(failure, SQL_RECONNECT, "fault point: connection cut during COPY");
            return SEND_FAILED;
        }
    }
    return SEND_DONE;
}

/* Sends the data of one COPY, for which the server has just asked. converse() reads the result,
 * also after an early end. */
static enum outcome send_stream(struct pg_connection *connection, const struct pg_stream *stream,
                                struct pg_failure *failure)
{
    struct news news = news_now(connection);
    enum send sent = SEND_DONE;
    for (size_t i = 0; i < stream->count && sent == SEND_DONE; i++) {
        sent = send_part(connection, stream->parts[i], &news, failure);
    }
    if (sent == SEND_FAILED) {
        return OUTCOME_RETRY;
    }
    if (PQputCopyEnd(connection->pg, sent == SEND_DONE ? NULL : early_end) < 0) {
        return pg_session_lost(connection, failure);
    }
    return pg_session_flush(connection, failure);
}

/* A Query under way. */
struct conversation {
    const struct pg_connection *connection; /* borrowed */
    struct pg_query *query;
    size_t streams_begun;
    bool failed;
    struct pg_failure failure; /* of the first failure with a SQLSTATE, else of the first */
};

/* The stream that is being sent or was sent last; NULL before the first. */
static struct pg_stream *stream_now(const struct conversation *conversation)
{
    assert(conversation->streams_begun <= conversation->query->count);
    return conversation->streams_begun == 0
               ? NULL
               : &conversation->query->streams[conversation->streams_begun - 1];
}

static void note_failure(struct conversation *conversation, const PGresult *result)
{
    const struct pg_stream *stream = stream_now(conversation);

    if (!conversation->failed || conversation->failure.sqlstate[0] == '\0') {
        pg_session_failure(conversation->connection, result,
                           stream == NULL ? NULL : stream->relation, &conversation->failure);
    }
    conversation->failed = true;
}

static void note_success(struct conversation *conversation, PGresult *result)
{
    struct pg_query *query = conversation->query;
    const char *tag = PQcmdStatus(result);

    query->done++;
    query->rolled_back = strcmp(tag, "ROLLBACK") == 0;
    if (strncmp(tag, "COPY", 4) == 0 && conversation->streams_begun > 0) {
        stream_now(conversation)->affected = strtoll(PQcmdTuples(result), NULL, 10);
    }
}

/* Takes over one result, and sends the data if it asks for a COPY. */
static enum outcome take_result(struct pg_connection *connection, PGresult *result,
                                struct conversation *conversation, struct pg_failure *failure)
{
    ExecStatusType status = PQresultStatus(result);
    enum outcome outcome = OUTCOME_OK;

    if (status == PGRES_COPY_IN && conversation->streams_begun < conversation->query->count) {
        conversation->streams_begun++;
        outcome = send_stream(connection, stream_now(conversation), failure);
    } else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        pg_disconnect(connection); /* there is no stream for this COPY */
        outcome = pg_failure_set(failure, SQL_RULE, "COPY with the client is not possible here");
    } else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
        note_failure(conversation, result);
    } else {
        note_success(conversation, result);
    }
    PQclear(result);
    return outcome;
}

/* Sends the Query and reads results until the NULL behind the last one. After a failure the server
 * skips the other statements of the message, so no further COPY is asked for. */
static enum outcome converse(struct pg_connection *connection, struct conversation *conversation,
                             struct pg_failure *failure)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_flush(connection, failure);

    if (outcome == OUTCOME_OK) {
        outcome = pg_session_next(connection, &result, failure);
    }
    while (outcome == OUTCOME_OK && result != NULL) {
        outcome = take_result(connection, result, conversation, failure);
        result = NULL;
        if (outcome == OUTCOME_OK) {
            outcome = pg_session_next(connection, &result, failure);
        }
    }
    if (outcome == OUTCOME_OK && conversation->failed) {
        *failure = conversation->failure;
        outcome = OUTCOME_RETRY;
        if (failure->fatal || PQstatus(connection->pg) != CONNECTION_OK) {
            pg_session_end(connection, failure);
        }
    } else if (outcome != OUTCOME_OK && conversation->failed) {
        *failure = conversation->failure; /* the server's own words say more */
    }
    return outcome;
}

enum outcome pg_query_run(struct pg_connection *connection, struct pg_query *query,
                          struct pg_failure *failure)
{
    struct conversation conversation = {.connection = connection, .query = query};

    assert(query->count == 0 || query->streams != NULL);
    query->done = 0;
    query->rolled_back = false;
    if (connection->pg == NULL || PQsendQuery(connection->pg, query->sql) == 0) {
        return pg_session_lost(connection, failure);
    }
    pg_session_begin(connection);
    enum outcome outcome = converse(connection, &conversation, failure);
    if (outcome != OUTCOME_OK && strstr(failure->message, early_end) != NULL) {
        connection->early_check_off = true;
        failure->action = SQL_RETRY;
    }
    if (outcome == OUTCOME_OK && conversation.streams_begun < query->count) {
        outcome = pg_failure_set(failure, SQL_RULE, "this is not a COPY FROM STDIN");
    }
    return outcome;
}

enum outcome pg_copy(struct pg_connection *connection, const char *sql, const struct slice *parts,
                     size_t count, struct pg_failure *failure)
{
    struct buf relation = {0};
    struct slice name = slice_of(strchr(sql, ' '));

    assert(parts != NULL && count > 0);
    if (name.length > 0) {
        name = slice_make(name.data + 1, name.length - 1);
        (void) pg_take_relation(&name, &relation);
    }
    struct pg_stream stream = {.relation = buf_string(&relation), .parts = parts, .count = count};
    struct pg_query query = {.sql = sql, .streams = &stream, .count = 1};
    enum outcome outcome = pg_query_run(connection, &query, failure);
    buf_fini(&relation);
    return outcome;
}
