#!/bin/bash
# Run once by the image of PostgreSQL, in an empty database: tables and views of sql/, the bridge's role and Grafana's, which only reads.
#
# SPDX-License-Identifier: MIT
set -eu

sql=${SQL_FOLDER:-/sql}
run() {
    psql -q -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-postgres}" "$@"
}

run -f "$sql/mqtt2pg.sql" -f "$sql/telemetry.sql" -f "$sql/views.sql"
run -v role=mqtt2pg -v password="$MQTT2PG_PASSWORD" -v table=public.telemetry -f "$sql/role.sql"
run -v role=grafana -v password="$GRAFANA_PASSWORD" -f "$sql/reader.sql"
