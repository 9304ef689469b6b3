/*
 * live: a private Mosquitto on a free port, its command line clients, and a receiver with a
 * journal, for the tests against the real thing.
 *
 * LIVE_SKIP() leaves a test with a word when Mosquitto is not installed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_LIVE_H
#define MQTT2PG_MQTT_LIVE_H

#include <MQTTAsync.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "journal/journal_reader.h"
#include "mqtt/receiver.h"
#include "unit.h"

#define LIVE_SKIP() \
    do { \
        if (getenv("LIVE_TESTS") == NULL || access("/usr/sbin/mosquitto", X_OK) != 0) { \
            printf( \
                "skipped: no LIVE_TESTS in the environment, or no Mosquitto on this machine\n"); \
            CHECK(true); \
            return; \
        } \
    } while (0)

/* Waits for a condition, at most `seconds`; checks that it came. */
#define LIVE_WAIT(condition, seconds) \
    do { \
        int64_t live_end_ms = clock_monotonic_ms() + (seconds) *1000; \
        while (!(condition) && clock_monotonic_ms() < live_end_ms) { \
            usleep(5000); \
        } \
        CHECK(condition); \
    } while (0)

/* No other test of this project takes the port while this process lives, as long as each asks here
 * (or servers.free_port() in tests/integration, which takes the same name). */
static inline bool live_port_reserve(int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX}; /* abstract: it goes with the process */
    int length =
        snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "mqtt2pg-test-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *) &name,
             (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + (size_t) length)) == 0) {
        return true;
    }
    close(fd);
    return false;
}

/*
 * A port that nothing listens on, below the range from which the kernel takes the ports of clients:
 * a client that tries a closed port of that range may connect to itself. It stays this process's
 * own while the broker behind it is stopped and started.
 */
static inline int live_port(void)
{
    static int tried;
    for (;;) {
        int port = 15000 + (getpid() * 101 + tried++) % 15000;
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t) port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int reuse = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
        bool is_free = bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0;
        close(fd);
        if (is_free && live_port_reserve(port)) {
            return port;
        }
    }
}

static inline bool live_listens(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0;
    close(fd);
    return listens;
}

static inline pid_t live_spawn(const char *const *arguments, int in, int out)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves no broker behind */
        int null = open("/dev/null", O_RDWR);
        dup2(in >= 0 ? in : null, 0);
        dup2(out >= 0 ? out : null, 1);
        dup2(null, 2);
        execvp(arguments[0], (char *const *) (uintptr_t) arguments);
        _exit(127);
    }
    return pid;
}

struct live_broker {
    int port;
    pid_t pid;
    char directory[300];
    char url[60];
};

/* `extra` are more lines of configuration; "anonymous" is allowed unless it says otherwise. */
static inline void live_broker_start(struct live_broker *broker, const char *extra)
{
    if (broker->port == 0) {
        static int number;
        broker->port = live_port();
        snprintf(broker->directory, sizeof(broker->directory), "%s/broker%d", unit_scratch(),
                 ++number);
        mkdir(broker->directory, 0700);
        snprintf(broker->url, sizeof(broker->url), "mqtt://127.0.0.1:%d", broker->port);
    }
    char path[320];
    snprintf(path, sizeof(path), "%s/conf", broker->directory);
    FILE *file = fopen(path, "w");
    fprintf(file,
            "listener %d 127.0.0.1\n%spersistence true\npersistence_location %s/\n"
            "autosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 50\n%s%s",
            broker->port, geteuid() == 0 ? "user root\n" : "", broker->directory, extra,
            strstr(extra, "allow_anonymous") != NULL ? "" : "allow_anonymous true\n");
    fclose(file);
    const char *const arguments[] = {"/usr/sbin/mosquitto", "-c", path, NULL};
    broker->pid = live_spawn(arguments, -1, -1);
    LIVE_WAIT(live_listens(broker->port), 10);
    CHECK_INT_EQ(waitpid(broker->pid, NULL, WNOHANG), 0); /* it is ours that listens */
}

static inline void live_broker_stop(struct live_broker *broker, int signal_number)
{
    if (broker->pid > 0) {
        kill(broker->pid, signal_number);
        waitpid(broker->pid, NULL, 0);
        broker->pid = 0;
    }
}

/* What the broker keeps goes as well. */
static inline void live_broker_forget(struct live_broker *broker)
{
    char path[340];
    live_broker_stop(broker, SIGTERM);
    snprintf(path, sizeof(path), "%s/mosquitto.db", broker->directory);
    unlink(path);
}

/* Publishes "FROM" … "TO" (decimal) to one topic and waits until the broker has them. */
static inline void live_publish(const struct live_broker *broker, const char *topic, int qos,
                                int from, int to)
{
    char port[12];
    char level[4];
    int pipes[2];
    snprintf(port, sizeof(port), "%d", broker->port);
    snprintf(level, sizeof(level), "%d", qos);
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        abort();
    }
    const char *const arguments[] = {"mosquitto_pub", "-p", port,  "-h", "127.0.0.1", "-q",
                                     level,           "-t", topic, "-l", NULL};
    pid_t pid = live_spawn(arguments, pipes[0], -1);
    close(pipes[0]);
    for (int i = from; i <= to; i++) {
        dprintf(pipes[1], "%d\n", i);
    }
    close(pipes[1]);
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK_INT_EQ(status, 0);
}

/* One message with any options of mosquitto_pub, NULL at the end of at most 20. */
static inline void live_publish_one(const struct live_broker *broker, const char *const *options)
{
    char port[12];
    snprintf(port, sizeof(port), "%d", broker->port);
    const char *arguments[26] = {"mosquitto_pub", "-p", port, "-h", "127.0.0.1"};
    for (size_t i = 0; options[i] != NULL; i++) {
        arguments[5 + i] = options[i];
    }
    int status = 0;
    waitpid(live_spawn(arguments, -1, -1), &status, 0);
    CHECK_INT_EQ(status, 0);
}

/* The retained message of a topic, or "" after a while. */
static inline const char *live_retained(const struct live_broker *broker, const char *topic)
{
    static char text[200];
    char command[300];
    snprintf(command, sizeof(command),
             "mosquitto_sub -h 127.0.0.1 -p %d -t '%s' -C 1 -W 1 2>/dev/null", broker->port, topic);
    FILE *pipe = popen(command, "r");
    text[0] = '\0';
    if (fgets(text, sizeof(text), pipe) != NULL) {
        text[strcspn(text, "\n")] = '\0';
    }
    pclose(pipe);
    return text;
}

/* --- a receiver with its journal -------------------------------------------------------------- */

struct live_bridge {
    char directory[300];
    int64_t max_bytes;
    const char *urls[4];
    struct broker_options options;
    struct journal *journal;
    struct receiver *receiver;
    struct subscription_set wanted;
    struct broker_place place;
};

static inline void live_bridge_init(struct live_bridge *bridge, const char *url, bool mqtt5)
{
    static int number;
    *bridge = (struct live_bridge){.max_bytes = 256 << 20, .urls = {url}};
    snprintf(bridge->directory, sizeof(bridge->directory), "%s/journal%d", unit_scratch(),
             ++number);
    bridge->options = (struct broker_options){.urls = bridge->urls,
                                              .url_count = 1,
                                              .client_id = "bridge",
                                              .mqtt5 = mqtt5,
                                              .keepalive_ms = 10000,
                                              .session_expiry_ms = 3600000,
                                              .receive_maximum = 1000,
                                              .max_packet_bytes = 1 << 20,
                                              .status_topic = ""};
}

static inline void live_want(struct live_bridge *bridge, const char *filter, int qos,
                             enum retain_handling retain)
{
    char copy[100];
    snprintf(copy, sizeof(copy), "%s", filter);
    subscription_set_add(&bridge->wanted,
                         &(struct subscription){.filter = copy,
                                                .qos = (uint8_t) qos,
                                                .retain_handling = retain,
                                                .identifier = bridge->options.mqtt5
                                                                  ? subscription_identifier(filter)
                                                                  : 0});
}

/* A callback that takes Paho's lock again is told by Paho as an error of its own, and by nothing
 * else. */
static inline void live_trace(enum MQTTASYNC_TRACE_LEVELS level, char *message)
{
    (void) level;
    if (strstr(message, "locking mutex") != NULL) {
        fprintf(stderr, "Paho: %s\n", message);
        abort();
    }
}

static inline void live_bridge_start(struct live_bridge *bridge)
{
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
    MQTTAsync_setTraceCallback(live_trace);
    struct error error = {0};
    struct journal_options options = {.directory = bridge->directory,
                                      .max_bytes = bridge->max_bytes,
                                      .sync_ms = JOURNAL_SYNC_NEVER};
    if (journal_open(&bridge->journal, &options, &error) != OUTCOME_OK) {
        fprintf(stderr, "%s\n", error.text);
        abort();
    }
    bridge->receiver = receiver_start(&(struct receiver_options){.broker = &bridge->options,
                                                                 .subscriptions = &bridge->wanted,
                                                                 .journal = bridge->journal,
                                                                 .place = &bridge->place,
                                                                 .directory = bridge->directory});
}

static inline void live_bridge_stop(struct live_bridge *bridge)
{
    receiver_stop(bridge->receiver, 5000);
    journal_close(bridge->journal);
    bridge->receiver = NULL;
    bridge->journal = NULL;
}

static inline void live_bridge_fini(struct live_bridge *bridge)
{
    subscription_set_fini(&bridge->wanted);
}

/* A broker and a bridge for it, which is not started yet. */
static inline void live_begin(struct live_broker *broker, struct live_bridge *bridge, bool mqtt5)
{
    live_broker_start(broker, "");
    live_bridge_init(bridge, broker->url, mqtt5);
}

/* Stops both. */
static inline void live_end(struct live_broker *broker, struct live_bridge *bridge)
{
    live_bridge_stop(bridge);
    live_bridge_fini(bridge);
    live_broker_stop(broker, SIGTERM);
}

static inline bool live_connected(void)
{
    return metric_get(METRIC_BROKER_CONNECTED) == 1;
}

/* How often does each number 1 … max stand in the journal as a payload on `topic` (NULL: any)?
 * Returns the messages read; `ordered` becomes false when a number is below one before it. */
static inline unsigned live_count(struct journal *journal, const char *topic, unsigned *counts,
                                  unsigned max, bool *ordered)
{
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    unsigned read = 0;
    long before = 0;
    *ordered = true;
    memset(counts, 0, (max + 1) * sizeof(counts[0]));
    CHECK_INT_EQ(journal_reader_seek(reader, journal_first(journal), &next.error), OUTCOME_OK);
    while (journal_reader_next(reader, &next) == JOURNAL_READ_MESSAGE) {
        char text[20] = "";
        if (next.message.kind != MESSAGE_PUBLISH ||
            (topic != NULL && !slice_is(next.message.topic, topic))) {
            continue;
        }
        memcpy(text, next.message.payload.data,
               next.message.payload.length < 19 ? next.message.payload.length : 19);
        long number = atol(text);
        if (number >= 1 && number <= (long) max) {
            counts[number]++;
        }
        *ordered = *ordered && number >= before;
        before = number;
        read++;
    }
    journal_reader_free(reader);
    return read;
}

/* Each number from 1 to `max` exactly once, and in order. */
static inline void live_check_all_once(struct journal *journal, const char *topic, unsigned max)
{
    unsigned *counts = calloc(max + 1, sizeof(counts[0]));
    bool ordered;
    unsigned read = live_count(journal, topic, counts, max, &ordered);
    unsigned missing = 0;
    unsigned twice = 0;
    for (unsigned i = 1; i <= max; i++) {
        missing += counts[i] == 0;
        twice += counts[i] > 1;
        if (counts[i] == 0 && (i == 1 || counts[i - 1] != 0)) {
            fprintf(stderr, "missing from %u on\n", i);
        }
    }
    CHECK_INT_EQ(missing, 0);
    CHECK_INT_EQ(twice, 0);
    CHECK_INT_EQ(read, max);
    CHECK(ordered);
    free(counts);
}

/* Runs `main` in a child process; waits until it says so through the pipe. */
static inline pid_t live_child(void (*child_main)(void *context), void *context)
{
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    if (pid == 0) {
        child_main(context);
        _exit(0);
    }
    return pid;
}

#endif
