/* SPDX-License-Identifier: MIT */
#include "pg/pg_missing.h"
#include "unit.h"

static void test_lines(void)
{
    static const struct {
        struct pg_lack lack;
        const char *lines; /* NULL = nothing is missing */
    } cases[] = {
        {{.role = "me", .database = "t", .sqlstate = "28000"},
         "    sudo -iu postgres createuser me\n"
         "    sudo -iu postgres createdb -O me t   # if that database is not there yet\n"},
        {{.role = "me", .database = "t", .sqlstate = "28P01", .host = "localhost", .port = "5433"},
         "    sudo -iu postgres createuser -p 5433 --pwprompt me   # if that role is not there "
         "yet\n"
         "    sudo -iu postgres createdb -p 5433 -O me t   # if that database is not there yet\n"},
        {{.role = "me", .database = "t", .sqlstate = "3D000", .host = "db.example", .port = "5432"},
         "    createdb -U postgres -h db.example -O me t\n"},
        {{.role = "it's", .database = "t", .sqlstate = "3D000", .host = "/run/x"},
         "    sudo -iu postgres createdb -h /run/x -O 'it'\\''s' t\n"},
        {{.role = "Me",
          .database = "My Data",
          .sqlstate = "",
          .connected = true,
          .namespace = "public"},
         "    sudo -iu postgres psql -d 'My Data' -c 'grant create on database \"My Data\" to "
         "\"Me\"'\n"
         "    sudo -iu postgres psql -d 'My Data' -c 'grant create on schema public to \"Me\"'\n"},
        {{.role = "me",
          .database = "t",
          .sqlstate = "",
          .connected = true,
          .schema_there = true,
          .namespace = "public",
          .may_make_table = true},
         NULL},
        {{.role = "me", .database = "t", .sqlstate = "42501"},
         "    sudo -iu postgres psql -d t -c 'grant connect, create on database t to me'\n"},
        {{.role = "me", .database = "t", .sqlstate = ""}, NULL},
        {{.role = "me", .database = "t", .sqlstate = "53300"}, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        CHECK(pg_lack_append(&out, &cases[i].lack) == (cases[i].lines != NULL));
        CHECK_TEXT_EQ(buf_string(&out), cases[i].lines == NULL ? "" : cases[i].lines);
        buf_fini(&out);
    }
}

UNIT_MAIN("pg_missing", {"lines", test_lines})
