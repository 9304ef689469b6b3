/*
 * The settings table checks types and ranges. This file checks what the table can't: combinations
 * of settings, and values that another part of the program judges: URLs (mqtt), TLS files
 * (OpenSSL), conninfo (libpq), the address of the status page (admin). It opens no connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_check.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/http_address.h"
#include "base/text.h"
#include "config/config_secret.h"
#include "mqtt/tls_probe.h"

/* MQTT 5.0, section 1.5.4: a text has a length of two bytes. PostgreSQL: NAMEDATALEN - 1. */
enum { MQTT_TEXT_BYTES_MAX = 65535, IDENTIFIER_BYTES_MAX = 63 };

/* The setting in the file; NULL when the file leaves it out. */
static const config_setting_t *given(const struct config_reader *reader, const char *path)
{
    return config_lookup(&reader->tree->library, path);
}

/* The place of the setting in the file; `nowhere` when the file leaves it out. */
static struct place place_of(const struct config_reader *reader, const char *path)
{
    const config_setting_t *setting = given(reader, path);
    struct place nowhere = {0};
    return setting == NULL ? nowhere : config_tree_place(setting);
}

/* The place of broker.urls[index]. */
static struct place url_place(const struct config_reader *reader, size_t index)
{
    const config_setting_t *setting = given(reader, "broker.url");
    if (setting != NULL && config_setting_type(setting) == CONFIG_TYPE_LIST) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned) index);
        return config_tree_place(element == NULL ? setting : element);
    }
    return place_of(reader, "broker.url");
}

/* Checks each URL of the broker. Returns true when one of them asks for TLS. */
static bool check_urls(struct config_reader *reader, const struct config *config)
{
    bool tls = false;
    for (size_t i = 0; i < config->broker.url_count; i++) {
        struct broker_address address;
        struct error error;
        if (broker_address_parse(config->broker.urls[i], &address, &error)) {
            tls |= address.tls;
            if (address.tls && config->broker.tls.verify && strchr(address.host, ':') != NULL) {
                problem_error(reader->problems, url_place(reader, i), "broker.url",
                              "\"%s\": the certificate of an IPv6 address can't be verified: use "
                              "the host's name",
                              config->broker.urls[i]);
            }
        } else {
            problem_error(reader->problems, url_place(reader, i), "broker.url", "%s", error.text);
        }
    }
    return tls;
}

/* Reports a file that cannot be opened; `file` may be NULL. O_NONBLOCK, because opening a FIFO
 * would wait for its writer. The content is checked by tls_check_files(). */
static void check_readable(struct config_reader *reader, const char *path, const char *file)
{
    assert(path[0] != '\0');
    int fd = file == NULL ? -1 : open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file != NULL && fd < 0) {
        problem_error(reader->problems, place_of(reader, path), path,
                      "could not open file \"%s\": %s", file, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* Nobody else may read the private key, as with a password file. Without key_file the key stands in
 * cert_file. */
static void check_key(struct config_reader *reader, const struct broker_options *broker)
{
    bool apart = broker->tls.key_file != NULL;
    const char *path = apart ? "broker.tls.key_file" : "broker.tls.cert_file";
    const char *file = apart ? broker->tls.key_file : broker->tls.cert_file;
    if (file != NULL && access(file, F_OK) == 0) {
        (void) config_secret_file_is_safe(reader->problems, place_of(reader, path), path, file);
    }
}

/* Checks the files of TLS, and warns when they have no effect. `tls`: a URL asks for TLS. */
static void check_tls(struct config_reader *reader, const struct config *config, bool tls)
{
    const struct broker_options *broker = &config->broker;
    check_readable(reader, "broker.tls.ca_file", broker->tls.ca_file);
    check_readable(reader, "broker.tls.cert_file", broker->tls.cert_file);
    check_readable(reader, "broker.tls.key_file", broker->tls.key_file);
    check_key(reader, broker);
    if (broker->tls.key_file != NULL && broker->tls.cert_file == NULL) {
        problem_error(reader->problems, place_of(reader, "broker.tls.key_file"),
                      "broker.tls.key_file", "a key needs its certificate: give cert_file too");
    }
    struct error error;
    if (tls && reader->problems->errors == 0 && tls_check_files(broker, &error) != OUTCOME_OK) {
        problem_error(reader->problems, place_of(reader, "broker.tls"), NULL, "%s", error.text);
    }
    /* The members are compared and not the file's settings: "${CA:-}" without a variable gives
     * none. */
    bool given_any = broker->tls.ca_file != NULL || broker->tls.cert_file != NULL ||
                     broker->tls.key_file != NULL || given(reader, "broker.tls.verify") != NULL;
    if (!tls && given_any) {
        problem_warning(reader->problems, place_of(reader, "broker.tls"), "broker.tls",
                        "has no effect: no url begins with mqtts:// or wss://");
    } else if (tls && !broker->tls.verify) {
        problem_warning(reader->problems, place_of(reader, "broker.tls.verify"),
                        "broker.tls.verify", "false: anybody on the way can pose as the broker");
    }
}

/* Settings that MQTT 3.1.1 does not have. Its section 3.1.2.9 also forbids a password without a
 * user name, which MQTT 5 allows. */
static void check_protocol(struct config_reader *reader, const struct config *config)
{
    static const char *const only_5[] = {"broker.session_expiry", "broker.receive_maximum"};
    if (config->broker.mqtt5) {
        return;
    }
    for (size_t i = 0; i < sizeof(only_5) / sizeof(only_5[0]); i++) {
        if (given(reader, only_5[i]) != NULL) {
            problem_warning(reader->problems, place_of(reader, only_5[i]), only_5[i],
                            "has no effect with protocol = \"3.1.1\"");
        }
    }
    if (config->broker.password != NULL && config->broker.username == NULL) {
        bool in_file = given(reader, "broker.password") == NULL;
        problem_error(reader->problems,
                      place_of(reader, in_file ? "broker.password_file" : "broker.password"),
                      in_file ? "broker.password_file" : "broker.password",
                      "MQTT 3.1.1 takes a password only with a username: give username too");
    }
}

/* The broker keeps the session under the client id. An empty one would get a new session at each
 * connection, so messages that came meanwhile would be lost. */
static void check_client_id(struct config_reader *reader, const struct config *config)
{
    const char *id = config->broker.client_id;
    struct place place = place_of(reader, "broker.client_id");
    if (id == NULL) {
        return;
    }
    if (id[0] == '\0') {
        problem_error(reader->problems, place, "broker.client_id",
                      "must not be empty: a broker keeps no session without a client id");
    } else if (strpbrk(id, "{}") != NULL) {
        problem_error(reader->problems, place, "broker.client_id",
                      "nothing is replaced in { } here: write ${NAME} for an environment variable");
    } else if (!text_is_printable(slice_of(id)) || strpbrk(id, "\t\n") != NULL) {
        problem_error(reader->problems, place, "broker.client_id",
                      "holds a control character: brokers refuse such a client id");
    } else if (strlen(id) > MQTT_TEXT_BYTES_MAX) {
        problem_error(reader->problems, place, "broker.client_id", "longer than %d bytes",
                      MQTT_TEXT_BYTES_MAX);
    }
}

/* Replaces "{client_id}" in the status topic: "mqtt2pg/{client_id}/status" →
 * "mqtt2pg/plant1/status". The result lies in the reader's arena. */
static const char *replace_client_id(struct config_reader *reader, const char *topic,
                                     const char *id)
{
    assert(topic != NULL && id != NULL);
    const char *word = "{client_id}";
    struct buf out = {0};
    for (const char *found; (found = strstr(topic, word)) != NULL; topic = found + strlen(word)) {
        buf_append(&out, topic, (size_t) (found - topic));
        buf_append_text(&out, id);
    }
    buf_append_text(&out, topic);
    const char *result = arena_copy(reader->arena, buf_slice(&out)).data;
    buf_fini(&out);
    return result;
}

/* Replaces {client_id} in the status topic and checks that a client can publish to the topic. */
static void check_status_topic(struct config_reader *reader, struct config *config)
{
    struct broker_options *broker = &config->broker;
    const char *written = broker->status_topic;
    struct place place = place_of(reader, "broker.status_topic");
    if (broker->client_id == NULL || strpbrk(broker->client_id, "{}") != NULL || written == NULL) {
        return;
    }
    broker->status_topic = replace_client_id(reader, written, broker->client_id);
    if (strpbrk(broker->status_topic, "{}") != NULL) {
        problem_error(reader->problems, place, "broker.status_topic",
                      "only {client_id} is replaced in it");
    } else if (strpbrk(broker->status_topic, "+#") != NULL) {
        problem_error(reader->problems, place, "broker.status_topic",
                      "\"%s\" can't be published to: a topic has no \"+\" and no \"#\"",
                      broker->status_topic);
    } else if (strlen(broker->status_topic) > MQTT_TEXT_BYTES_MAX) {
        problem_error(reader->problems, place, "broker.status_topic", "longer than %d bytes",
                      MQTT_TEXT_BYTES_MAX);
    }
}

/* Checks conninfo as libpq does, and the length of the schema's name. Warns of a password in the
 * configuration and refuses a second password. */
static void check_database(struct config_reader *reader, const struct config *config)
{
    const struct pg_options *database = &config->database;
    const config_setting_t *written = given(reader, "database.conninfo");
    const char *text = written == NULL ? NULL : config_setting_get_string(written);
    bool in_file = text == NULL || text[0] == '\0';
    const char *path = in_file ? "database.conninfo_file" : "database.conninfo";
    struct buf masked = {0};
    struct error error;
    bool sound =
        database->conninfo != NULL && pg_check_conninfo(database->conninfo, &error) == OUTCOME_OK;
    if (database->conninfo != NULL && config_secret_mask_conninfo(&masked, database->conninfo)) {
        /* What can't be read is masked as a whole, and need not hold a password. */
        if (!in_file && (sound || strcasestr(database->conninfo, "password") != NULL)) {
            config_secret_warn(reader->problems, written, path);
        }
        if (database->password != NULL) {
            problem_error(reader->problems, place_of(reader, path), path,
                          "holds a password, and another one is given: take one of them out");
        }
    }
    buf_fini(&masked);
    if (database->conninfo != NULL && !sound) {
        problem_error(reader->problems, place_of(reader, path), NULL, "%s", error.text);
    }
    if (database->schema != NULL &&
        (database->schema[0] == '\0' || strlen(database->schema) > IDENTIFIER_BYTES_MAX)) {
        problem_error(reader->problems, place_of(reader, "database.schema"), "database.schema",
                      "a schema's name has 1 to %d bytes", IDENTIFIER_BYTES_MAX);
    }
}

/* Whether the text is "HOST:PORT". The port is 0 (any free port) to 65535; a host with colons
 * stands in [ ]. */
static bool is_listen_address(const char *text)
{
    assert(text[0] != '\0');
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        strtol(colon + 1, NULL, 10) > 65535) {
        return false;
    }
    size_t length = (size_t) (colon - text);
    /* "[::1]:9464": brackets keep the colons of an IPv6 address apart from the port's. */
    bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    return bracketed || strcspn(text, ":[] /") == length;
}

/* Checks journal.directory, which must not be empty, and http.listen, which may be. */
static void check_others(struct config_reader *reader, const struct config *config)
{
    if (config->journal.directory != NULL && config->journal.directory[0] == '\0') {
        problem_error(
            reader->problems, place_of(reader, "journal.directory"), "journal.directory",
            "must not be empty: the journal needs a directory, for example \"/var/lib/mqtt2pg\"");
    }
    if (config->http.listen != NULL && config->http.listen[0] != '\0' &&
        !is_listen_address(config->http.listen)) {
        problem_error(
            reader->problems, place_of(reader, "http.listen"), "http.listen",
            "an address and a port are wanted, like \"127.0.0.1:9464\", \"[::1]:9464\" or "
            "\"*:9464\"; \"\" switches the page off");
    }
}

/* The page's actions change data. So they need a token, or an address that only this machine can
 * reach. */
static void check_admin(struct config_reader *reader, const struct config *config)
{
    struct http_address address;
    struct error error;
    const char *token = config->http.token;
    bool tokened = token != NULL && token[0] != '\0';

    if (tokened && strlen(token) < HTTP_TOKEN_BYTES_MIN) {
        problem_error(reader->problems, place_of(reader, "http.token"), "http.token",
                      "it can be guessed: at least %d characters are wanted, as "
                      "\"openssl rand -hex 16\" prints",
                      HTTP_TOKEN_BYTES_MIN);
    }
    if (config->http.admin && !tokened && config->http.listen != NULL &&
        http_address_parse(config->http.listen, &address, &error) == OUTCOME_OK &&
        !http_address_is_local(&address)) {
        problem_error(reader->problems, place_of(reader, "http.admin"), "http.admin",
                      "other machines reach http.listen \"%s\": set http.token_file, or listen on "
                      "127.0.0.1",
                      config->http.listen);
    }
}

/* Warns when broker.max_packet is larger than half of journal.max_size. The bridge uses the smaller
 * of the two, so that each message that it accepts fits into the journal. */
static void check_packet(struct config_reader *reader, const struct config *config)
{
    bool read = config->journal.max_bytes > 0; /* 0: reported already */
    if (read && config->broker.max_packet_bytes > config->journal.max_bytes / 2) {
        problem_warning(reader->problems, place_of(reader, "broker.max_packet"),
                        "broker.max_packet",
                        "larger than half of journal.max_size: that half is the limit");
    }
}

void config_check(struct config_reader *reader, struct config *config)
{
    assert(reader->tree != NULL);
    bool tls = check_urls(reader, config);
    check_tls(reader, config, tls);
    check_protocol(reader, config);
    check_client_id(reader, config);
    check_status_topic(reader, config);
    check_database(reader, config);
    check_packet(reader, config);
    check_others(reader, config);
    check_admin(reader, config);
}
