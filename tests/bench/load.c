/*
 * load: publishes samples faster than any broker takes them, or at a steady rate; or counts what
 * arrives.
 *
 *   load publish --port P --messages N [--first N] [--topics T] [--payload BYTES] [--qos 0|1] [--rate R] [--window W] [--format F]
 *   load collect --port P --messages N --filter F [--limit SECONDS]
 *
 * publish: MQTT 3.1.1 on a bare socket, up to `window` messages under way without PUBACK (MQTT 5
 * would have to keep within the broker's receive maximum). With a rate each message carries the
 * time at which it was due, not the one at which it went out: when this program or the broker is
 * late, that counts as delay. collect: subscribes with QoS 0, prints READY, and counts messages
 * whose payload begins with {"n":NUMBER until it has seen N different numbers.
 *
 * One line of JSON tells what happened. Times are microseconds since 1970.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sample.h"

enum { OUT_BYTES = 256 * 1024, IN_BYTES = 64 * 1024, ID_MAX = 65535 };

static const char *client_id;

/* --- packets ---------------------------------------------------------------------------------- */

static size_t put_length(char *at, size_t length)
{
    size_t count = 0;
    do {
        at[count] = (char) (length % 128 + (length >= 128 ? 128 : 0));
        length /= 128;
        count++;
    } while (length > 0);
    return count;
}

static char *put_text(char *at, const char *text)
{
    size_t length = strlen(text);
    at[0] = (char) (length >> 8);
    at[1] = (char) length;
    memcpy(at + 2, text, length);
    return at + 2 + length;
}

static void send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        if (sent < 0) {
            die("load: could not send: %s", strerror(errno));
        }
        data += sent;
        length -= (size_t) sent;
    }
}

static void receive_exactly(int fd, char *data, size_t length)
{
    while (length > 0) {
        ssize_t got = recv(fd, data, length, 0);
        if (got <= 0) {
            die("load: the broker closed the connection");
        }
        data += got;
        length -= (size_t) got;
    }
}

/* Connected, CONNACK read. */
static int connect_broker(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
    int on = 1;
    char body[256], packet[300], answer[4];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0) {
        die("load: could not connect to port %d: %s", port, strerror(errno));
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    char *end = put_text(body, "MQTT");
    memcpy(end, "\4\2\0\0", 4); /* 3.1.1, clean session, no keepalive */
    end = put_text(end + 4, client_id);
    packet[0] = 0x10;
    size_t head = 1 + put_length(packet + 1, (size_t) (end - body));
    memcpy(packet + head, body, (size_t) (end - body));
    send_all(fd, packet, head + (size_t) (end - body));
    receive_exactly(fd, answer, 4);
    if (answer[0] != 0x20 || answer[3] != 0) {
        die("load: the broker refused the connection");
    }
    return fd;
}

/* --- publish ---------------------------------------------------------------------------------- */

struct publisher {
    int fd;
    int qos;
    uint64_t messages, first, window;
    double rate; /* 0: as fast as it goes */
    struct sample sample;
    const char *format;
    int64_t start_us;
    uint64_t sent, confirmed;
    uint64_t window_full; /* how often it had to wait for PUBACKs */
    char *out;
    size_t out_length, out_sent;
    char head[8]; /* fixed header */
    size_t head_length;
    unsigned answer_bytes; /* of a PUBACK that came in pieces */
};

/* Packet number `publisher->sent`, behind those in `out`. */
static void add_packet(struct publisher *publisher)
{
    struct sample *sample = &publisher->sample;
    char *at = publisher->out + publisher->out_length;
    int64_t time_us =
        publisher->rate > 0
            ? publisher->start_us + (int64_t) ((double) publisher->sent * 1e6 / publisher->rate)
            : wall_us();

    sample_set(sample, publisher->first + publisher->sent, time_us);
    memcpy(at, publisher->head, publisher->head_length);
    at += publisher->head_length;
    at[0] = 0;
    at[1] = (char) sample->topic_length;
    memcpy(at + 2, sample->topic, sample->topic_length);
    at += 2 + sample->topic_length;
    if (publisher->qos > 0) {
        unsigned id = (unsigned) (publisher->sent % ID_MAX) + 1;
        at[0] = (char) (id >> 8);
        at[1] = (char) id;
        at += 2;
    }
    at += sample_write(at, sample, publisher->format, publisher->first + publisher->sent, time_us);
    publisher->out_length = (size_t) (at - publisher->out);
    publisher->sent++;
}

/* How many messages the clock allows so far. */
static uint64_t due(const struct publisher *publisher)
{
    if (publisher->rate <= 0) {
        return publisher->messages;
    }
    int64_t since = wall_us() - publisher->start_us;
    uint64_t count = since < 0 ? 0 : (uint64_t) ((double) since * publisher->rate / 1e6) + 1;
    return count < publisher->messages ? count : publisher->messages;
}

static void fill(struct publisher *publisher)
{
    uint64_t limit = due(publisher);
    size_t packet = publisher->sample.length + SAMPLE_FORMAT_BYTES + 64;

    while (publisher->sent < limit && publisher->out_length + packet <= OUT_BYTES + packet &&
           publisher->out_length < OUT_BYTES / 4) {
        if (publisher->qos > 0 && publisher->sent - publisher->confirmed >= publisher->window) {
            publisher->window_full++;
            return;
        }
        add_packet(publisher);
    }
}

static void take_answers(struct publisher *publisher)
{
    static char in[IN_BYTES];
    ssize_t got = recv(publisher->fd, in, sizeof(in), MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        die("load: the broker closed the connection");
    }
    for (ssize_t i = 0; i < got; i++) {
        if (publisher->answer_bytes == 0 && in[i] != 0x40) {
            die("load: the broker sent packet %02x, not PUBACK", (unsigned) in[i] & 0xff);
        }
        publisher->answer_bytes = (publisher->answer_bytes + 1) % 4;
        publisher->confirmed += publisher->answer_bytes == 0;
    }
}

static void flush(struct publisher *publisher)
{
    ssize_t sent = send(publisher->fd, publisher->out + publisher->out_sent,
                        publisher->out_length - publisher->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        die("load: could not send: %s", strerror(errno));
    }
    publisher->out_sent += sent > 0 ? (size_t) sent : 0;
    if (publisher->out_sent == publisher->out_length) {
        publisher->out_sent = publisher->out_length = 0;
    }
}

/* Until the socket is ready, or the next message is due. */
static void wait_socket(struct publisher *publisher)
{
    struct pollfd ready = {.fd = publisher->fd, .events = POLLIN};
    struct timespec timeout = {.tv_sec = 10};

    if (publisher->out_length > 0) {
        ready.events |= POLLOUT;
    } else if (publisher->rate > 0 && publisher->sent < publisher->messages) {
        int64_t next_us = publisher->start_us +
                          (int64_t) ((double) publisher->sent * 1e6 / publisher->rate) - wall_us();
        /* Not more often than each 200 microseconds: a high rate goes out in small groups. */
        next_us = next_us < 200 ? 200 : next_us;
        timeout =
            (struct timespec){.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000};
    }
    if (ppoll(&ready, 1, &timeout, NULL) == 0 && timeout.tv_sec >= 10) {
        die("load: the broker neither takes nor confirms anything for 10 s");
    }
    if (ready.revents & (POLLIN | POLLHUP | POLLERR)) {
        take_answers(publisher);
    }
}

static bool finished(const struct publisher *publisher)
{
    return publisher->sent == publisher->messages && publisher->out_length == 0 &&
           (publisher->qos == 0 || publisher->confirmed == publisher->messages);
}

static int publish(int argc, char **argv)
{
    struct publisher publisher = {
        .qos = (int) option_number(argc, argv, "qos", 1),
        .messages = (uint64_t) option_number(argc, argv, "messages", 1000),
        .first = (uint64_t) option_number(argc, argv, "first", 0),
        .window = (uint64_t) option_number(argc, argv, "window", 10000),
        .rate = (double) option_number(argc, argv, "rate", 0),
    };
    size_t payload = (size_t) option_number(argc, argv, "payload", 150);

    sample_init(&publisher.sample, payload, (uint32_t) option_number(argc, argv, "topics", 1000));
    publisher.format = option_text(argc, argv, "format", "json");
    sample_set_topics(&publisher.sample, publisher.format);
    publisher.out = malloc(2 * OUT_BYTES + payload + SAMPLE_FORMAT_BYTES);
    size_t written = sample_write(publisher.out, &publisher.sample, publisher.format, 0, wall_us());
    publisher.head[0] = publisher.qos > 0 ? 0x32 : 0x30;
    publisher.head_length =
        1 + put_length(publisher.head + 1,
                       (publisher.qos > 0 ? 4U : 2U) + publisher.sample.topic_length + written);
    publisher.fd = connect_broker((int) option_number(argc, argv, "port", 1883));
    prctl(PR_SET_TIMERSLACK, 1UL);
    publisher.start_us = wall_us();
    while (!finished(&publisher)) {
        if (publisher.out_length == 0) {
            fill(&publisher);
        }
        if (publisher.out_length > 0) {
            flush(&publisher);
        }
        if (!finished(&publisher)) {
            wait_socket(&publisher);
        }
    }
    int64_t end_us = wall_us();
    send_all(publisher.fd, "\340\0", 2);
    shutdown(publisher.fd, SHUT_WR);
    while (recv(publisher.fd, publisher.out, OUT_BYTES, 0) > 0) {
    }
    printf("{\"messages\":%" PRIu64 ",\"start_us\":%" PRId64 ",\"end_us\":%" PRId64
           ",\"window_full\":%" PRIu64 ",\"cpu_s\":%.6f}\n",
           publisher.messages, publisher.start_us, end_us, publisher.window_full, cpu_seconds());
    sample_fini(&publisher.sample);
    free(publisher.out);
    return 0;
}

/* --- collect ---------------------------------------------------------------------------------- */

struct collector {
    uint8_t *seen; /* one byte a number */
    uint64_t wanted, distinct, total, strange;
    int64_t first_us, last_us;
};

static void collect_packet(struct collector *collector, const char *packet, size_t length)
{
    size_t topic = (size_t) ((unsigned char) packet[0] << 8 | (unsigned char) packet[1]);
    const char start[] = "{\"n\":";
    const char *payload = packet + 2 + topic;

    collector->last_us = wall_us();
    collector->first_us = collector->total == 0 ? collector->last_us : collector->first_us;
    collector->total++;
    if (length < 2 + topic + 15 || memcmp(payload, start, sizeof(start) - 1) != 0) {
        collector->strange++;
        return;
    }
    int64_t number = strtoll(payload + sizeof(start) - 1, NULL, 10) - SAMPLE_BASE;
    if (number < 0 || (uint64_t) number >= collector->wanted) {
        collector->strange++;
        return;
    }
    collector->distinct += collector->seen[number] == 0;
    collector->seen[number] = 1;
}

/* Takes whole packets from the buffer; returns how many bytes they were. */
static size_t collect_packets(struct collector *collector, const char *data, size_t length)
{
    size_t at = 0;
    while (length - at >= 2) {
        size_t rest = 0, bytes = 1;
        int shift = 0;
        do {
            if (at + bytes >= length) {
                return at;
            }
            rest |= (size_t) (data[at + bytes] & 127) << shift;
            shift += 7;
        } while (data[at + bytes++] & 128);
        if (length - at < bytes + rest) {
            return at;
        }
        if ((data[at] & 0xf0) == 0x30) {
            collect_packet(collector, data + at + bytes, rest);
        }
        at += bytes + rest;
    }
    return at;
}

static void subscribe(int fd, const char *filter)
{
    char packet[300] = {(char) 0x82, 0, 0, 1};
    char answer[5];
    char *end = put_text(packet + 4, filter);
    *end++ = 0;
    packet[1] = (char) (end - packet - 2);
    send_all(fd, packet, (size_t) (end - packet));
    receive_exactly(fd, answer, 5);
}

static int collect(int argc, char **argv)
{
    static char in[4 * IN_BYTES];
    size_t length = 0;
    struct collector collector = {.wanted = (uint64_t) option_number(argc, argv, "messages", 1000)};
    int limit = (int) option_number(argc, argv, "limit", 60) * 1000;

    collector.seen = calloc(collector.wanted + 1, 1);
    int fd = connect_broker((int) option_number(argc, argv, "port", 1883));
    subscribe(fd, option_text(argc, argv, "filter", "fleet/+/ack"));
    puts("READY");
    fflush(stdout);
    while (collector.distinct < collector.wanted) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, limit) == 0) {
            break; /* the numbers tell what is missing */
        }
        ssize_t got = recv(fd, in + length, sizeof(in) - length, 0);
        if (got <= 0) {
            die("load: the broker closed the connection");
        }
        length += (size_t) got;
        size_t taken = collect_packets(&collector, in, length);
        memmove(in, in + taken, length - taken);
        length -= taken;
    }
    printf("{\"distinct\":%" PRIu64 ",\"total\":%" PRIu64 ",\"strange\":%" PRIu64
           ",\"first_us\":%" PRId64 ",\"last_us\":%" PRId64 ",\"cpu_s\":%.6f}\n",
           collector.distinct, collector.total, collector.strange, collector.first_us,
           collector.last_us, cpu_seconds());
    free(collector.seen);
    close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    char name[32];
    snprintf(name, sizeof(name), "load-%ld", (long) getpid());
    client_id = name;
    if (argc > 1 && strcmp(argv[1], "publish") == 0) {
        return publish(argc, argv);
    }
    if (argc > 1 && strcmp(argv[1], "collect") == 0) {
        return collect(argc, argv);
    }
    die("usage: load publish|collect --port P …");
}
