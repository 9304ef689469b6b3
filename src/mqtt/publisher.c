/* SPDX-License-Identifier: MIT */
#include "mqtt/publisher.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

/* Paho publishes fastest with a window of 50 to 100: it searches its lists for a free packet id. */
enum { WINDOW = 100 };

enum { CONNECT_MS = 5000, WAIT_STEP_MS = 200, BACKOFF_FIRST_MS = 500, BACKOFF_MAX_MS = 30000 };

struct publisher {
    const struct broker_options *options; /* borrowed */
    const struct broker_place *receiving; /* borrowed */
    char *client_id;
    struct paho_link *link; /* NULL: not connected */
    int room;               /* free places in the window, at least */
    bool under_way;         /* something was handed over and is not confirmed yet */
    bool lost;              /* the connection has ended with something under way */
    struct backoff backoff;
    int64_t not_before_ms; /* monotonic; no attempt to connect sooner */
    bool tried;            /* at least one attempt to connect was made */
    unsigned failures;     /* attempts in vain since the last connection */
    size_t url;            /* index of the URL that was tried last */
    atomic_bool cancelled;
};

struct publisher *publisher_new(const struct broker_options *options,
                                const struct broker_place *receiving)
{
    struct publisher *publisher = memory_alloc(sizeof(*publisher));
    assert(options->url_count > 0 && receiving != NULL);
    publisher->options = options;
    publisher->receiving = receiving;
    publisher->client_id = memory_printf("%s-ack", options->client_id);
    backoff_init(&publisher->backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS);
    return publisher;
}

void publisher_free(struct publisher *publisher)
{
    if (publisher == NULL) {
        return;
    }
    if (publisher->link != NULL) {
        paho_link_disconnect(publisher->link, 1000);
        paho_link_close(publisher->link);
    }
    free(publisher->client_id);
    free(publisher);
}

void publisher_cancel(struct publisher *publisher)
{
    atomic_store(&publisher->cancelled, true);
}

/* How long after the failure of a publication the end of its connection may be noticed. */
enum { END_MS = 200 };

/* Gives the connection up: what it has under way counts as not published. Returns OUTCOME_RETRY. */
static enum outcome drop_link(struct publisher *publisher, const char *why, struct error *error)
{
    assert(publisher->link != NULL);
    (void) paho_link_wait(publisher->link, -1, publisher->under_way ? END_MS : 0);
    publisher->lost = publisher->under_way && !paho_link_up(publisher->link);
    publisher->under_way = false;
    paho_link_close(publisher->link);
    publisher->link = NULL;
    publisher->room = 0;
    /* A publication may have ended the connection. The outbox pauses between attempts, so the next
     * publication need not back off here. */
    int64_t wait_ms = publisher->lost ? 0 : backoff_next(&publisher->backoff);
    publisher->not_before_ms = clock_monotonic_ms() + wait_ms;
    return error_set(error, OUTCOME_RETRY, "acknowledgments: %s", why);
}

static bool receiver_connected(const struct publisher *publisher)
{
    return atomic_load(&publisher->receiving->connected);
}

/* The URL of the receiving connection. While that is not connected: its last URL, then the others
 * in turn. */
static size_t next_url(const struct publisher *publisher)
{
    size_t url = atomic_load(&publisher->receiving->url);
    return (url + (receiver_connected(publisher) ? 0 : publisher->failures)) %
           publisher->options->url_count;
}

static enum outcome connect_once(struct publisher *publisher, int64_t milliseconds,
                                 struct error *error)
{
    const struct broker_options *broker = publisher->options;
    assert(publisher->link == NULL && !publisher->under_way);
    publisher->tried = true;
    publisher->url = next_url(publisher);
    const char *url = broker->urls[publisher->url];
    struct broker_address address;
    publisher->failures++;
    if (!broker_address_parse(url, &address, error)) {
        return OUTCOME_RETRY;
    }
    struct paho_link_options options = {
        .broker = broker,
        .client_id = publisher->client_id,
        .clean = true,
        .keepalive_s = (int) (broker->keepalive_ms / 1000),
        .window = WINDOW,
        .cancelled = &publisher->cancelled,
    };
    struct paho_failure failure;
    enum outcome outcome =
        paho_link_open(&publisher->link, &options, &address, milliseconds, &failure);
    if (outcome != OUTCOME_OK) {
        *error = failure.error;
        error_prefix(error, "acknowledgments: %s", url);
        publisher->not_before_ms = clock_monotonic_ms() + backoff_next(&publisher->backoff);
    } else {
        publisher->failures = 0;
        log_debug("connected for acknowledgments", F_TEXT("url", url));
    }
    return outcome;
}

/* Disconnects from a broker that is not the receiving connection's (broker_place.h says why). */
static void follow_receiver(struct publisher *publisher)
{
    if (publisher->link != NULL && !publisher->under_way && receiver_connected(publisher) &&
        next_url(publisher) != publisher->url) {
        paho_link_disconnect(publisher->link, END_MS);
        paho_link_close(publisher->link);
        publisher->link = NULL;
        publisher->room = 0;
    }
}

/* Makes sure that there is a connection. */
static enum outcome ready(struct publisher *publisher, int64_t milliseconds, struct error *error)
{
    publisher->lost = false;
    follow_receiver(publisher);
    if (publisher->link != NULL) {
        return paho_link_up(publisher->link) ? OUTCOME_OK
                                             : drop_link(publisher, "connection lost", error);
    }
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    while (clock_monotonic_ms() < publisher->not_before_ms) {
        if (clock_monotonic_ms() >= end_ms || atomic_load(&publisher->cancelled)) {
            return error_set(error, OUTCOME_RETRY, "acknowledgments: broker not connected");
        }
        usleep(WAIT_STEP_MS * 1000 / 4);
    }
    if (atomic_load(&publisher->cancelled)) {
        return error_set(error, OUTCOME_RETRY, "acknowledgments: stopping");
    }
    return connect_once(publisher, CONNECT_MS, error);
}

bool publisher_keep_connected(struct publisher *publisher, struct error *error)
{
    follow_receiver(publisher);
    if (publisher->link != NULL) {
        if (paho_link_up(publisher->link)) {
            return true;
        }
        (void) drop_link(publisher, "connection lost", error);
        error_clear(error);
    }
    bool others_turn = publisher->tried && !receiver_connected(publisher);
    if (others_turn || clock_monotonic_ms() < publisher->not_before_ms ||
        atomic_load(&publisher->cancelled)) {
        return false;
    }
    return connect_once(publisher, CONNECT_MS, error) == OUTCOME_OK;
}

/* Waits in steps, so that cancelling is noticed. */
static bool wait_confirmed(struct publisher *publisher, int under_way, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    bool good = false;
    int64_t left_ms = milliseconds;
    do {
        good = paho_link_wait(publisher->link, under_way,
                              left_ms < WAIT_STEP_MS ? left_ms : WAIT_STEP_MS);
        left_ms = end_ms - clock_monotonic_ms();
    } while (!good && left_ms > 0 && paho_link_up(publisher->link) &&
             !atomic_load(&publisher->cancelled));
    return good;
}

/*
 * How many publications may be under way. Paho sends no more than the broker's receive maximum
 * (Mosquitto: 20) and looks at what it kept back only once a second, so it must never have to keep
 * anything back.
 */
static int window_of(const struct publisher *publisher)
{
    int receive_maximum = paho_link_connack(publisher->link)->receive_maximum;
    return receive_maximum > 0 && receive_maximum < WINDOW ? receive_maximum : WINDOW;
}

/*
 * Makes sure that there is a place in the window. When it is full, waits until half of it is
 * confirmed: each switch between this thread and Paho's costs more than a publication.
 */
static bool wait_room(struct publisher *publisher, int64_t milliseconds)
{
    int window = window_of(publisher);
    if (publisher->room == 0) {
        if (!wait_confirmed(publisher, window / 2, milliseconds)) {
            return false;
        }
        publisher->room = window - window / 2;
    }
    assert(publisher->room > 0);
    publisher->room--;
    return true;
}

enum outcome publisher_publish(struct publisher *publisher, const struct publication *publication,
                               int64_t milliseconds, struct error *error)
{
    if (ready(publisher, milliseconds, error) != OUTCOME_OK) {
        return OUTCOME_RETRY;
    }
    assert(publisher->link != NULL);
    if (!wait_room(publisher, milliseconds)) {
        return drop_link(publisher, "broker does not confirm", error);
    }
    enum outcome outcome = paho_link_publish(publisher->link, publication, error);
    publisher->under_way = publisher->under_way || outcome == OUTCOME_OK;
    return outcome == OUTCOME_RETRY ? drop_link(publisher, "connection lost", error) : outcome;
}

enum outcome publisher_flush(struct publisher *publisher, int64_t milliseconds, struct error *error)
{
    if (publisher->link == NULL) {
        return OUTCOME_OK; /* nothing was handed over */
    }
    if (!wait_confirmed(publisher, 0, milliseconds) || paho_link_failed(publisher->link)) {
        return drop_link(publisher, "broker did not confirm", error);
    }
    publisher->under_way = false;
    backoff_reset(&publisher->backoff);
    return OUTCOME_OK;
}

bool publisher_lost(const struct publisher *publisher)
{
    return publisher->lost;
}
