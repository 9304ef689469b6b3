/* SPDX-License-Identifier: MIT */
#include "admin/http_address.h"

#include "unit.h"

static void test_parse(void)
{
    static const struct {
        const char *listen;
        const char *host; /* NULL: refused */
        const char *port;
    } cases[] = {
        {"127.0.0.1:9464", "127.0.0.1", "9464"},
        {"[::1]:9464", "::1", "9464"},
        {"localhost:80", "localhost", "80"},
        {"*:9464", "", "9464"},
        {":0", "127.0.0.1", "0"},
        {"[::]:65535", "::", "65535"},
        {"9464", NULL, NULL},
        {"127.0.0.1", NULL, NULL},
        {"127.0.0.1:", NULL, NULL},
        {"127.0.0.1:65536", NULL, NULL},
        {"127.0.0.1:-1", NULL, NULL},
        {"127.0.0.1:94 64", NULL, NULL},
        {"127.0.0.1:http", NULL, NULL},
        {"127.0.0.1:0000009464", NULL, NULL},
        {"::1:9464", NULL, NULL},
        {"[::1:9464", NULL, NULL},
        {"http://localhost:9464", NULL, NULL},
        {"", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_address address;
        struct error error = {0};
        enum outcome outcome = http_address_parse(cases[i].listen, &address, &error);

        UNIT_CASE("%s", cases[i].listen);
        CHECK_INT_EQ(outcome, cases[i].host == NULL ? OUTCOME_FATAL : OUTCOME_OK);
        if (outcome == OUTCOME_OK) {
            CHECK_TEXT_EQ(address.host, cases[i].host);
            CHECK_TEXT_EQ(address.port, cases[i].port);
        } else {
            CHECK(strstr(error.text, "http.listen") != NULL);
            CHECK(strstr(error.text, "write \"127.0.0.1:9464\"") != NULL);
        }
    }
}

static void test_local(void)
{
    static const struct {
        const char *listen;
        bool local;
    } cases[] = {
        {"127.0.0.1:1", true},
        {"127.8.9.10:1", true},
        {"[::1]:1", true},
        {"LocalHost:1", true},
        {":1", true},
        {"*:1", false},
        {"[::]:1", false},
        {"0.0.0.0:1", false},
        {"192.168.1.2:1", false},
        {"128.0.0.1:1", false},
        {"bridge.example:1", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_address address;

        UNIT_CASE("%s", cases[i].listen);
        CHECK_INT_EQ(http_address_parse(cases[i].listen, &address, NULL), OUTCOME_OK);
        CHECK_INT_EQ(http_address_is_local(&address), cases[i].local);
    }
}

static void test_long_host(void)
{
    char listen[600];
    struct http_address address;

    memset(listen, 'a', sizeof(listen));
    memcpy(listen + sizeof(listen) - 6, ":9464", 6);
    CHECK_INT_EQ(http_address_parse(listen, &address, NULL), OUTCOME_FATAL);
}

/* Listens on a free port and gives its name; "" when that did not work. */
static void name_of(const char *listen, char name[HTTP_ADDRESS_TEXT_MAX], bool *is_loopback)
{
    struct http_address address;
    int listener = -1;

    name[0] = '\0';
    if (http_address_parse(listen, &address, NULL) != OUTCOME_OK ||
        http_address_listen(&address, &listener, NULL) != OUTCOME_OK) {
        return;
    }
    http_address_name(listener, name, is_loopback);
    close(listener);
}

static void test_names(void)
{
    char name[HTTP_ADDRESS_TEXT_MAX];
    bool is_loopback = false;

    name_of(":0", name, &is_loopback);
    CHECK(strncmp(name, "127.0.0.1:", 10) == 0 && strcmp(name + 10, "0") != 0);
    CHECK(is_loopback);
    name_of("*:0", name, &is_loopback);
    CHECK(strncmp(name, "*:", 2) == 0);
    CHECK(!is_loopback);
    name_of("[::1]:0", name, &is_loopback);
    if (name[0] != '\0') { /* a machine without IPv6 */
        CHECK(strncmp(name, "[::1]:", 6) == 0 && is_loopback);
    }
}

static void test_busy_port(void)
{
    struct http_address address;
    struct error error = {0};
    char name[HTTP_ADDRESS_TEXT_MAX];
    bool is_loopback;
    int first = -1;
    int second = -1;

    CHECK(http_address_parse(":0", &address, &error) == OUTCOME_OK);
    CHECK(http_address_listen(&address, &first, &error) == OUTCOME_OK);
    http_address_name(first, name, &is_loopback);
    CHECK(http_address_parse(name, &address, &error) == OUTCOME_OK);
    CHECK_INT_EQ(http_address_listen(&address, &second, &error), OUTCOME_RETRY);
    CHECK_INT_EQ(second, -1);
    CHECK(strstr(error.text, "http.listen \"127.0.0.1:") != NULL);
    CHECK(strstr(error.text, "choose another port") != NULL);
    close(first);
    /* Free again at once, although connections may linger. */
    CHECK_INT_EQ(http_address_listen(&address, &second, &error), OUTCOME_OK);
    close(second);
}

static void test_foreign_addresses(void)
{
    struct http_address address;
    struct error error = {0};
    int listener;

    CHECK(http_address_parse("192.0.2.77:0", &address, &error) == OUTCOME_OK);
    CHECK_INT_EQ(http_address_listen(&address, &listener, &error), OUTCOME_RETRY);
    CHECK(strstr(error.text, "this machine has no such address") != NULL);
    CHECK(http_address_parse("no.such.host.invalid:1", &address, &error) == OUTCOME_OK);
    CHECK_INT_EQ(http_address_listen(&address, &listener, &error), OUTCOME_RETRY);
    CHECK(strstr(error.text, "http.listen \"no.such.host.invalid:1\"") != NULL);
}

static void test_connect(void)
{
    struct http_address address;
    struct error error = {0};
    char name[HTTP_ADDRESS_TEXT_MAX];
    bool is_loopback;
    int listener = -1;
    int connection = -1;

    CHECK(http_address_parse("*:0", &address, &error) == OUTCOME_OK);
    CHECK(http_address_listen(&address, &listener, &error) == OUTCOME_OK);
    http_address_name(listener, name, &is_loopback);
    CHECK(http_address_parse(name, &address, &error) == OUTCOME_OK);
    CHECK_INT_EQ(http_address_connect(&address, 1000, &connection, &error), OUTCOME_OK);
    close(connection);
    close(listener);
    CHECK_INT_EQ(http_address_connect(&address, 1000, &connection, &error), OUTCOME_RETRY);
    CHECK_INT_EQ(connection, -1);
    CHECK(strstr(error.text, "nobody answers") != NULL);
}

UNIT_MAIN("http_address", {"parse", test_parse}, {"local", test_local},
          {"long host", test_long_host}, {"names", test_names}, {"busy port", test_busy_port},
          {"foreign addresses", test_foreign_addresses}, {"connect", test_connect})
