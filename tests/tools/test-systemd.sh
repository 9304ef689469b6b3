#!/bin/bash
# Boots a Debian 12 with systemd, PostgreSQL and Mosquitto in a container of its own, installs the package there, and runs
# the units as an administrator would: test-systemd.sh DEB BASE FOLDER. As root, with systemd-nspawn and a Debian mirror to
# reach. BASE is a minimal Debian, as test-deb.sh makes it. The tree in FOLDER is made when it is not there, and stays for
# the next time. Where no container boots, the script says so and tries nothing.
#
# SPDX-License-Identifier: MIT
set -eu -o pipefail

deb=$(realpath "$1")
base=$2
tree=$3
checks=0

if [ ! -x "$tree/usr/bin/psql" ]; then
    rm -rf "$tree"
    cp -a "$base" "$tree"
    chroot "$tree" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends systemd systemd-sysv dbus \
        libnss-systemd postgresql mosquitto mosquitto-clients >"$tree.log" 2>&1 || { cat "$tree.log"; exit 1; }
fi
rm -rf "$tree/var/lib/private" "$tree/var/lib/mqtt2pg"* "$tree/var/log/journal" "$tree/etc/mqtt2pg" \
    "$tree/var/lib/mosquitto/mosquitto.db"
cp "$deb" "$tree/tmp/mqtt2pg.deb"
chroot "$tree" env DEBIAN_FRONTEND=noninteractive sh -c \
    'dpkg --purge mqtt2pg && apt-get install -y -q --no-install-recommends /tmp/mqtt2pg.deb' >"$tree.log" 2>&1 || { cat "$tree.log"; exit 1; }

# The network is the container's own, so its ports are Debian's defaults.
systemd-nspawn --quiet --directory="$tree" --boot --register=no --keep-unit --private-network \
    --console=pipe </dev/null >"$tree.log" 2>&1 &
nspawn=$!
leader=""
trap '[ -z "$leader" ] || kill -KILL "$leader" 2>/dev/null; kill "$nspawn" 2>/dev/null; wait "$nspawn" 2>/dev/null || true' EXIT

inside() { nsenter --target "$leader" --all env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
sql() { inside runuser -u postgres -- psql -qtAX -v ON_ERROR_STOP=1 -d "$1" -c "$2"; } # DATABASE STATEMENT
publish() { inside mosquitto_pub -q 1 -t "$1" -m "$2"; }            # TOPIC PAYLOAD
property() { inside systemctl show --value -p "$2" "$1"; }          # UNIT PROPERTY
# The operands of a condition are expanded each time it is asked.
waits() { # WHAT CONDITION
    local tries
    for tries in $(seq 150); do
        if eval "$2" 2>/dev/null; then
            checks=$((checks + 1))
            return
        fi
        sleep 0.2
    done
    echo "test-systemd: not so within 30 s, $tries tries: $1" >&2
    eval "$2" || true
    inside journalctl --no-pager -q -u 'mqtt2pg*' | tail -40 >&2
    exit 1
}
configure() { # NAME CLIENT_ID CONNINFO PORT TOPIC
    cat >"$tree/etc/mqtt2pg/$1.cfg" <<EOF
broker: { url = "mqtt://localhost:1883"; client_id = "$2"; };
database: { conninfo = "$3"; ${6:-} };
journal: { directory = "\${STATE_DIRECTORY}"; max_size = "64MB"; };
http: { listen = "127.0.0.1:$4"; };
rules = ( { name = "r"; topic = "$5"; table = "reading"; create = true; columns = { v = "\$.v :: int"; }; } );
EOF
}

# The container's first process is the child of systemd-nspawn.
for _ in $(seq 100); do
    leader=$(pgrep -P "$nspawn" | head -1) && inside test -S /run/systemd/private 2>/dev/null && break
    leader=""
    sleep 0.2
done
if [ -z "$leader" ]; then
    echo "test-systemd: not tried, no container boots here:"
    cat "$tree.log"
    exit 0
fi
waits "PostgreSQL and Mosquitto run" 'inside systemctl -q is-active mosquitto && sql postgres "select 1" >/dev/null'

# mqtt2pg logs in by peer authentication as the user that systemd makes, mqtt2pg@second by a password that only root can read.
inside runuser -u postgres -- sh -c 'createuser mqtt2pg; createdb -O mqtt2pg telemetry
    psql -qc "create role second login password '"'secret'"'"; createdb -O second second' 2>/dev/null || true
sql telemetry 'set client_min_messages = error; drop schema if exists mqtt2pg cascade; drop table if exists reading'
sql second 'set client_min_messages = error; drop schema if exists mqtt2pg cascade; drop table if exists reading'
configure mqtt2pg mqtt2pg "host=/run/postgresql dbname=telemetry" 9464 first/+
configure second second "host=127.0.0.1 user=second dbname=second" 9465 second/+ 'password_file = "${CREDENTIALS_DIRECTORY}/database";'
install -m 600 /dev/stdin "$tree/etc/mqtt2pg/database-password" <<<"secret"
mkdir -p "$tree/etc/systemd/system/mqtt2pg@second.service.d"
printf '[Service]\nLoadCredential=database:/etc/mqtt2pg/database-password\n' \
    >"$tree/etc/systemd/system/mqtt2pg@second.service.d/password.conf"
inside systemctl daemon-reload
inside systemd-analyze --man=no verify mqtt2pg.service mqtt2pg@second.service

inside systemctl start mqtt2pg mqtt2pg@second
waits "both units run at once" 'inside systemctl -q is-active mqtt2pg mqtt2pg@second'
waits "both are subscribed" '[ "$(inside journalctl -q -u "mqtt2pg*" | grep -c "subscribed subscriptions=1")" = 2 ]'
waits "both answer" 'inside mqtt2pg status --alive && inside mqtt2pg -c /etc/mqtt2pg/second.cfg status --alive'
publish first/a '{"v":1}'
publish second/a '{"v":2}'
waits "the first unit stores by peer authentication" '[ "$(sql telemetry "select v from reading")" = 1 ]'
waits "the second stores with its credential" '[ "$(sql second "select v from reading")" = 2 ]'
[ "$(property mqtt2pg NRestarts)$(property mqtt2pg@second NRestarts)" = 00 ] || { echo "test-systemd: a unit was restarted" >&2; exit 1; }

sed -i 's|first/+|reloaded/+|' "$tree/etc/mqtt2pg/mqtt2pg.cfg"
inside systemctl restart mqtt2pg && inside systemctl reload mqtt2pg # at once: a reload in the first milliseconds
waits "the reload did not end the service" 'inside systemctl -q is-active mqtt2pg'
waits "the new topic is subscribed" 'publish reloaded/a "{\"v\":3}"; [ "$(sql telemetry "select count(*) from reading where v = 3")" -ge 1 ]'

inside systemctl stop mqtt2pg@second
publish second/a '{"v":4}' # the broker keeps the session's messages
inside systemctl start mqtt2pg@second
waits "what came while the unit was stopped is stored" '[ "$(sql second "select count(*) from reading where v = 4")" = 1 ]'
inside systemctl kill --kill-whom=main --signal=KILL mqtt2pg@second
publish second/a '{"v":5}'
waits "systemd starts a killed service again" '[ "$(property mqtt2pg@second NRestarts)" = 1 ]'
waits "what came meanwhile is stored once" '[ "$(sql second "select count(*) from reading where v = 5")" = 1 ]'

inside systemctl stop mqtt2pg
echo 'unknown = 1;' >>"$tree/etc/mqtt2pg/mqtt2pg.cfg"
inside systemctl start mqtt2pg 2>/dev/null && { echo "test-systemd: started with a bad configuration" >&2; exit 1; }
waits "a bad configuration is told and not tried again" \
    '[ "$(property mqtt2pg ExecMainStatus)" = 3 ] && inside systemctl -q is-failed mqtt2pg'
waits "with its line" 'inside journalctl -q -u mqtt2pg | grep -q "mqtt2pg.cfg:6: "'
inside systemctl stop mqtt2pg@second
echo "test-systemd: $checks conditions held: two units at once, peer authentication, a credential, reload, kill, a bad file"
