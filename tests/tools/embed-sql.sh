#!/bin/sh
# Makes C strings of SQL files: embed-sql.sh FOLDER FILE.sql… writes FOLDER/sql_text.c and .h,
# in which x-y.sql is `extern const char sql_x_y[];`. Comments before the first statement are dropped.
#
# SPDX-License-Identifier: MIT
set -eu

folder=$1
shift
awk -v header="$folder/sql_text.h.new" -v source="$folder/sql_text.c.new" '
    function finish() { if (name != "") print "    \"\";" > source }
    BEGIN {
        print "/* Made of sql/ by tests/tools/embed-sql.sh. */\n#ifndef MQTT2PG_SQL_TEXT_H\n#define MQTT2PG_SQL_TEXT_H\n" > header
        print "#include \"sql_text.h\"" > source
    }
    FNR == 1 {
        finish()
        name = FILENAME
        sub(/.*\//, "", name)
        sub(/\.sql$/, "", name)
        gsub(/[^A-Za-z0-9]/, "_", name)
        print "extern const char sql_" name "[];" > header
        print "\nconst char sql_" name "[] =" > source
        begun = 0
    }
    !begun && /^[ \t]*(--.*)?$/ { next }
    {
        begun = 1
        gsub(/\\/, "&&")
        gsub(/"/, "\\\"")
        gsub(/\t/, "\\t")
        gsub(/\?\?/, "?\"\"?") # no trigraphs
        print "    \"" $0 "\\n\"" > source
    }
    END { finish(); print "\n#endif" > header }
' "$@"
mv "$folder/sql_text.h.new" "$folder/sql_text.h"
mv "$folder/sql_text.c.new" "$folder/sql_text.c"
