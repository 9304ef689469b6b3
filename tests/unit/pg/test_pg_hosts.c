/* How the hosts of a conninfo are looked up. SPDX-License-Identifier: MIT */
#include "pg/pg_hosts.h"

#include <netdb.h>

#include "unit.h"

static char asked[200]; /* "host service, …" */

/* Takes the place of the C library's. Knows no name. The library's names of its parameters are
 * reserved ones.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    size_t length = strlen(asked);

    (void) hints, (void) result;
    snprintf(asked + length, sizeof(asked) - length, "%s%s %s", length > 0 ? ", " : "", node,
             service == NULL ? "without a service" : service);
    return EAI_NONAME;
}

/* A look-up without a service is answered for the broker: see mqtt/paho_address.h. */
static void test_with_a_service(void)
{
    static const struct {
        const char *conninfo;
        const char *asked;
        size_t count;
    } cases[] = {
        {"host=db.test", "db.test 5432", 1},
        {"host=db.test port=6000", "db.test 6000", 1},
        {"host=one.test,two.test port=,6001", "one.test 5432, two.test 6001", 2},
        {"host=db.test hostaddr=127.0.0.1", "", 1},
        {"host=/run/postgresql", "", 1},
        {"dbname=d", "", 1},
    };

    unsetenv("PGHOST");
    unsetenv("PGHOSTADDR");
    unsetenv("PGPORT");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_hosts hosts;
        struct error error;

        UNIT_CASE("%s", cases[i].conninfo);
        asked[0] = '\0';
        CHECK_INT_EQ(pg_hosts_read(&hosts, cases[i].conninfo, &error), OUTCOME_OK);
        pg_hosts_resolve(&hosts);
        CHECK_TEXT_EQ(asked, cases[i].asked);
        CHECK_INT_EQ(hosts.count, cases[i].count);
        pg_hosts_fini(&hosts);
    }
    UNIT_CASE("%s", "");
}

UNIT_MAIN("pg/pg_hosts", {"with_a_service", test_with_a_service})
