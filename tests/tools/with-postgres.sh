#!/bin/bash
# with-postgres.sh COMMAND…: runs it beside a private PostgreSQL, then stops that and removes it.
#
# The server listens on a Unix socket in a scratch folder only and trusts everybody there. The command
# gets PG_TEST_CONNINFO (a libpq string, superuser "postgres", database "postgres", UTF-8), PG_TEST_DATA (the data folder)
# and PG_TEST_BIN. Inside another with-postgres.sh it just runs the command. As root the server runs as postgres or nobody.
# PG_TEST_OPTIONS adds server options, such as "-c fsync=on" (it is off here).
#
# SPDX-License-Identifier: MIT
set -eu

if [ -n "${PG_TEST_CONNINFO:-}" ]; then
    exec "$@"
fi

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
bin=${bin:-$(dirname "$(command -v postgres || echo /nowhere/postgres)")}
if [ ! -x "$bin/initdb" ]; then
    echo "with-postgres.sh: PostgreSQL's server programs are not installed (make deps)" >&2
    exit 1
fi

# Not in TMPDIR: a socket's path may have 107 bytes, and the server's user must get there.
folder=$(mktemp -d /tmp/mqtt2pg-pg-XXXXXX)
owner=""
if [ "$(id -u)" -eq 0 ]; then
    owner=$(id -un postgres 2>/dev/null || echo nobody)
    chown "$owner" "$folder"
fi

as_owner() {
    if [ -n "$owner" ]; then
        (cd / && setpriv --reuid="$owner" --regid="$(id -g "$owner")" --clear-groups -- "$@")
    else
        "$@"
    fi
}

stop() {
    # "immediate" ends stopped backends too: they get SIGKILL after five seconds.
    as_owner "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

as_owner "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N \
    >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }
as_owner "$bin/pg_ctl" -D "$folder/data" -l "$folder/data/server.log" -w -o \
    "-k $folder -c listen_addresses= -c fsync=off -c max_connections=60 ${PG_TEST_OPTIONS:-}" start \
    >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" "$folder/data/server.log" >&2; exit 1; }

export PG_TEST_CONNINFO="host=$folder user=postgres dbname=postgres"
export PG_TEST_DATA="$folder/data"
export PG_TEST_BIN="$bin"
"$@"
