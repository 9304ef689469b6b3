/* SPDX-License-Identifier: MIT */
#include "admin/http_server.h"

#include <cjson/cJSON.h>
#include <ctype.h>

#include "admin/http_client.h"
#include "admin/status_page.h"
#include "base/health.h"
#include "http_fixture.h"

static bool has_header(struct answer *answer, const char *line)
{
    char whole[1200];

    snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
    return strstr(buf_string(&answer->head), whole) != NULL;
}

static void test_pages(void)
{
    static const struct {
        const char *path;
        const char *type;
        const char *body; /* its start */
    } cases[] = {
        {"/", "text/html; charset=utf-8", "<!doctype html>"},
        {"/?x=1", "text/html; charset=utf-8", "<!doctype html>"},
        {"/status.json", "application/json", "{\"version\":\"" MQTT2PG_VERSION "\","},
        {"/status.json?history=0", "application/json", "{\"version\""},
        {"/status.json?history=-1&x", "application/json", "{\"version\""},
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8", "# HELP mqtt2pg_build_info"},
        {"/healthz", "text/plain; charset=utf-8", "ok\n"},
        {"/readyz", "text/plain; charset=utf-8", "ready\n"},
    };
    static const char *const headers[] = {
        "Cache-Control: no-store", "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer", "Cross-Origin-Resource-Policy: same-origin"};
    struct http_server *server = start(":0");

    for (int part = 0; part < HEALTH_PARTS; part++) {
        health_set((enum health_part) part, true, "well");
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer get = ask(server, "GET", cases[i].path, HOST);
        struct answer head = ask(server, "HEAD", cases[i].path, HOST);
        char type[100];

        UNIT_CASE("%s", cases[i].path);
        snprintf(type, sizeof(type), "Content-Type: %s", cases[i].type);
        CHECK_INT_EQ(get.status, 200);
        CHECK(has_header(&get, type));
        CHECK(strncmp(buf_string(&get.body), cases[i].body, strlen(cases[i].body)) == 0);
        for (size_t k = 0; k < sizeof(headers) / sizeof(headers[0]); k++) {
            CHECK(has_header(&get, headers[k]));
        }
        CHECK(strstr(buf_string(&get.head), "Content-Security-Policy: default-src 'none'; ") !=
              NULL);
        CHECK_INT_EQ(head.status, 200);
        CHECK(has_header(&head, type));
        CHECK_INT_EQ(head.body.length, 0);
        answer_fini(&get);
        answer_fini(&head);
    }
    http_server_stop(server);
}

static void test_refusals(void)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"};
    struct http_server *server = start(":0");
    struct answer answer;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        UNIT_CASE("%s", methods[i]);
        answer = ask(server, methods[i], "/healthz", HOST "Content-Length: 0\r\n");
        CHECK_INT_EQ(answer.status, 405);
        CHECK(has_header(&answer, "Allow: GET, HEAD"));
        answer_fini(&answer);
    }
    UNIT_CASE("a body that is announced");
    answer = ask(server, "POST", "/", HOST "Content-Length: 100000\r\n");
    CHECK_INT_EQ(answer.status, 405);
    answer_fini(&answer);
    UNIT_CASE("not found");
    answer = ask(server, "GET", "/nothing<script>", HOST);
    CHECK_INT_EQ(answer.status, 404);
    CHECK_TEXT_EQ(buf_string(&answer.body), "not found; the pages are\n/\n/status.json\n/metrics\n"
                                            "/healthz\n/readyz\n");
    CHECK(has_header(&answer, "X-Content-Type-Options: nosniff"));
    answer_fini(&answer);
    UNIT_CASE("no HTTP");
    answer = ask(server, "\x16\x03\x01", "x\r\n\r\n", "");
    CHECK(answer.status != 200);
    answer_fini(&answer);
    UNIT_CASE("still there");
    answer = ask(server, "GET", "/healthz", HOST);
    CHECK_INT_EQ(answer.status, 200);
    answer_fini(&answer);
    http_server_stop(server);
}

/* A site whose name is made to point to 127.0.0.1 reads nothing through the user's browser. */
static void test_hosts(void)
{
    static const struct {
        const char *host;
        int status;
    } cases[] = {
        {"Host: localhost:9464\r\n", 200},     {"Host: LOCALHOST\r\n", 200},
        {"Host: 127.0.0.1:9464\r\n", 200},     {"Host: [::1]:9464\r\n", 200},
        {"Host: 10.1.2.3\r\n", 200},           {"Host: bridge.localhost\r\n", 200},
        {"Host: evil.example\r\n", 421},       {"Host: evil.example:9464\r\n", 421},
        {"Host: localhost.evil.org\r\n", 421}, {"Host: evillocalhost\r\n", 421},
        {"Host: 127.0.0.1.evil.org\r\n", 421},
    };
    struct http_server *server = start(":0");
    struct answer answer;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].host);
        answer = ask(server, "GET", "/status.json", cases[i].host);
        CHECK_INT_EQ(answer.status, cases[i].status);
        answer_fini(&answer);
    }
    http_server_stop(server);
    /* Whoever asked for all interfaces has names for them. */
    server = start("*:0");
    answer = ask(server, "GET", "/healthz", "Host: bridge.example\r\n");
    CHECK_INT_EQ(answer.status, 200);
    answer_fini(&answer);
    http_server_stop(server);
}

static void test_readiness(void)
{
    struct http_server *server = start(":0");
    struct answer answer;

    for (int part = 0; part < HEALTH_PARTS; part++) {
        health_set((enum health_part) part, true, "well");
    }
    health_set(HEALTH_BROKER, false, "connection refused");
    answer = ask(server, "GET", "/readyz", HOST);
    CHECK_INT_EQ(answer.status, 503);
    CHECK(strncmp(buf_string(&answer.body), "broker: not ready since 2", 25) == 0);
    CHECK(strstr(buf_string(&answer.body), ": connection refused\n") != NULL);
    answer_fini(&answer);
    answer = ask(server, "GET", "/healthz", HOST);
    CHECK_INT_EQ(answer.status, 200);
    answer_fini(&answer);
    health_set(HEALTH_BROKER, true, "mqtt://localhost");
    answer = ask(server, "GET", "/readyz", HOST);
    CHECK_INT_EQ(answer.status, 200);
    answer_fini(&answer);
    http_server_stop(server);
}

/* A name or label name of the exposition format; returns what stands behind it. */
static const char *skip_name(const char *text)
{
    if (!isalpha((unsigned char) *text) && *text != '_') {
        return NULL;
    }
    while (isalnum((unsigned char) *text) || *text == '_') {
        text++;
    }
    return text;
}

/* {name="value",…} with the three escapes, and nothing else behind a backslash. */
static const char *skip_labels(const char *text)
{
    do {
        text = skip_name(text + 1);
        if (text == NULL || strncmp(text, "=\"", 2) != 0) {
            return NULL;
        }
        for (text += 2; *text != '"'; text++) {
            if (*text == '\0' || (*text == '\\' && strchr("\\\"n", *++text) == NULL)) {
                return NULL;
            }
        }
        text++;
    } while (*text == ',');
    return *text == '}' ? text + 1 : NULL;
}

static bool is_exposition_line(const char *line)
{
    const char *rest;
    char *end = NULL;

    if (strncmp(line, "# HELP mqtt2pg_", 15) == 0) {
        return strchr(line + 15, ' ') != NULL;
    }
    if (strncmp(line, "# TYPE mqtt2pg_", 15) == 0) {
        return (rest = skip_name(line + 7)) != NULL &&
               (strcmp(rest, " counter") == 0 || strcmp(rest, " gauge") == 0 ||
                strcmp(rest, " histogram") == 0);
    }
    if (strncmp(line, "mqtt2pg_", 8) != 0 || (rest = skip_name(line)) == NULL) {
        return false;
    }
    if (*rest == '{' && (rest = skip_labels(rest)) == NULL) {
        return false;
    }
    if (*rest != ' ' || rest[1] == ' ') {
        return false;
    }
    (void) strtod(rest + 1, &end);
    return end != rest + 1 && *end == '\0';
}

static void test_exposition(void)
{
    struct http_server *server;
    struct answer answer;
    char *rest;
    char *line;
    int lines = 0;

    metrics_reset();
    metrics_rule("odd \"name\" \\ with\nall }, x=\"1\"");
    metric_add(METRIC_MESSAGES_RECEIVED, 12);
    server = start(":0");
    answer = ask(server, "GET", "/metrics", HOST);
    buf_string(&answer.body);
    CHECK(strstr(answer.body.data, "\nmqtt2pg_messages_received_total 12\n") != NULL);
    CHECK(strstr(answer.body.data, "\nmqtt2pg_journal_messages 77\n") != NULL); /* refreshed */
    CHECK(answer.body.length > 0 && answer.body.data[answer.body.length - 1] == '\n');
    rest = answer.body.data;
    while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
        UNIT_CASE("%s", line);
        CHECK(is_exposition_line(line));
        lines++;
    }
    CHECK(lines > 50);
    answer_fini(&answer);
    http_server_stop(server);
    metrics_reset();
}

static void test_status_json(void)
{
    struct http_server *server = start(":0");
    struct buf body = {0};
    struct error error = {0};
    cJSON *parsed;
    int status = 0;

    CHECK_INT_EQ(http_get(http_server_address(server), "/status.json", &body, &status, &error),
                 OUTCOME_OK);
    CHECK_INT_EQ(status, 200);
    parsed = cJSON_Parse(buf_string(&body));
    CHECK(cJSON_IsObject(cJSON_GetObjectItem(parsed, "health")));
    CHECK_INT_EQ(cJSON_GetObjectItem(cJSON_GetObjectItem(parsed, "journal"), "messages")->valueint,
                 77);
    cJSON_Delete(parsed);
    CHECK_INT_EQ(http_get(http_server_address(server), "/x", &body, &status, &error), OUTCOME_OK);
    CHECK_INT_EQ(status, 404);
    buf_fini(&body);
    http_server_stop(server);
}

/* The page loads nothing from elsewhere, has its policy's hashes, and never makes HTML of data. */
static void test_page(void)
{
    static const char *const never[] = {
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
        " style=\"", " onclick=", "https://",           "@import",        "src="};
    struct http_server *server = start(":0");
    struct answer answer = ask(server, "GET", "/", HOST);
    const char *page = buf_string(&answer.body);
    const char *policy = buf_string(&answer.head);

    CHECK_INT_EQ(answer.body.length, status_page_size);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        UNIT_CASE("%s", never[i]);
        CHECK(strstr(page, never[i]) == NULL);
    }
    UNIT_CASE("policy");
    CHECK(strlen(status_page_script_hash) == strlen("sha256-") + 44);
    CHECK(strstr(policy, status_page_script_hash) != NULL);
    CHECK(strstr(policy, status_page_style_hash) != NULL);
    CHECK(strstr(policy, "unsafe") == NULL);
    CHECK(strstr(policy, "frame-ancestors 'none'") != NULL);
    answer_fini(&answer);
    http_server_stop(server);
}

static void test_off_and_wrong(void)
{
    const struct http_sources sources = {0};
    struct http_server *server = (struct http_server *) &sources;
    struct http_server *first = start(":0");
    struct http_options options = {.listen = ""};
    struct error error = {0};

    CHECK_INT_EQ(http_server_start(&server, &options, &sources, &error), OUTCOME_OK);
    CHECK(server == NULL);
    http_server_stop(NULL);
    options.listen = "9464";
    CHECK_INT_EQ(http_server_start(&server, &options, &sources, &error), OUTCOME_FATAL);
    options.listen = http_server_address(first);
    CHECK_INT_EQ(http_server_start(&server, &options, &sources, &error), OUTCOME_RETRY);
    CHECK(server == NULL);
    CHECK(strstr(error.text, "http.listen") != NULL && strstr(error.text, "another port") != NULL);
    http_server_stop(first);
}

UNIT_MAIN("http_server", {"pages", test_pages}, {"refusals", test_refusals}, {"hosts", test_hosts},
          {"readiness", test_readiness}, {"exposition", test_exposition},
          {"status.json", test_status_json}, {"page", test_page},
          {"off and wrong", test_off_and_wrong})
