"""Dashboards and alerts: every SQL query runs as the role that Grafana has, every PromQL name is a metric of a running bridge.

Grafana itself is not tried: Debian has no package of it. Its macros are replaced as its documentation says.

SPDX-License-Identifier: MIT
"""

import glob
import json
import os
import re
import shutil
import subprocess

import psycopg2
import yaml

from env import ROOT, Skip
from psql import psql

GRAFANA = os.path.join(ROOT, "docker/grafana")
ALERTS = os.path.join(ROOT, "docker/prometheus/alerts.yml")
# https://grafana.com/docs/grafana/latest/datasources/postgres/#macros
MACROS = (
    (r"\$__timeFilter\((\w+)\)", r"\1 between now() - interval '6 hours' and now()"),
    (r"\$__timeGroup\((\w+), '?\$?\w+'?\)", r"to_timestamp(floor(extract(epoch from \1) / 60) * 60)"),
    (r"\$device", "'d1','d2','o''clock'"),
)


def dashboards():
    found = {}
    for path in sorted(glob.glob(os.path.join(GRAFANA, "dashboards/*.json"))):
        with open(path) as file:
            found[os.path.basename(path)] = json.load(file)
    assert set(found) == {"fleet.json", "bridge.json"}
    return found


def expand(sql):
    for pattern, replacement in MACROS:
        sql = re.sub(pattern, replacement, sql)
    assert "$" not in sql, f"a macro that the test does not know: {sql}"
    return sql


def targets(kind):
    """(dashboard, panel, target) of the panels whose data source is of that kind."""
    for dashboard in dashboards().values():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == kind:
                    yield dashboard, panel, target


def sample(env):
    """Readings of three devices, one of them silent and one with a quote in its name; a dead letter, a bridge."""
    psql(env, "mqtt2pg.sql", "telemetry.sql", "views.sql")
    psql(env, "reader.sql", role="grafana", password="x")
    env.admin("insert into telemetry (time, device, temperature, humidity, battery, status, received) "
              "select now() - n * interval '20 s', device, 20 + n, 40, 99 - n, 'ok', now() - n * interval '19 s' "
              "from generate_series(0, 100) n, unnest(array['d1', 'o''clock']) device")
    env.admin("insert into telemetry (time, device, temperature, battery, received) values (now() - interval '2 h', 'd2', 1, 5, now() - interval '2 h')")
    env.admin("insert into mqtt2pg.dead_letter (received_at, rule, topic, payload, qos, retained, reason) "
              "values (now(), 'r', 't', 'x', 1, false, 'column \"a\": \"x\" is not a number')")
    env.admin("insert into mqtt2pg.progress (client_id, journal, position) values ('b', gen_random_uuid(), 1)")


def test_sql_of_the_dashboards(env):
    """Rows for sample data, a time column for series, numbers where a number is shown; nothing that the reader may not see."""
    sample(env)
    reader = psycopg2.connect(env.postgres.conninfo(env.database, user="grafana", tcp=True, password="x"))
    cursor, count = reader.cursor(), 0
    for _, panel, target in targets("grafana-postgresql-datasource"):
        cursor.execute(expand(target["rawSql"]))
        rows, columns = cursor.fetchall(), [column.name for column in cursor.description]
        assert rows, f"{panel['title']}: no rows"
        if target["format"] == "time_series":
            assert panel["type"] == "timeseries" and columns[0] == "time" and hasattr(rows[0][0], "tzinfo"), f"{panel['title']}: {columns}"
            assert [row[0] for row in rows] == sorted(row[0] for row in rows), f"{panel['title']}: not in the order of time"
            numbers = rows[-1][2:] if "metric" in columns else rows[-1][1:]
            assert numbers and all(float(number) is not None for number in numbers), f"{panel['title']}: {rows[-1]}"
            assert "metric" not in columns or columns[:3] == ["time", "metric", "value"], columns
        if panel["type"] == "stat":
            assert len(rows) == 1 and len(columns) == 1 and float(rows[0][0]) > 0, f"{panel['title']}: {rows}"
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["options"] in columns, f"{panel['title']}: no column {override['matcher']['options']}"
        count += 1
    assert count >= 12
    for variable in (each for each in dashboards()["fleet.json"]["templating"]["list"] if each["type"] == "query"):
        cursor.execute(variable["query"])
        assert cursor.fetchall() == [("d1",), ("d2",), ("o'clock",)]
    reader.close()


def json_values(node, name):
    """Every member of that name, however deep."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == name:
                yield value
            else:
                yield from json_values(value, name)
    elif isinstance(node, list):
        for element in node:
            yield from json_values(element, name)


def test_gaps_are_annotations(env):
    """A gap stands in the bridge's charts, from when to when."""
    sample(env)
    env.admin("insert into mqtt2pg.gap (noticed_at, client_id, cause, from_time) values (now(), 'b', 'power loss', now() - interval '1 min')")
    annotation, = dashboards()["bridge.json"]["annotations"]["list"]
    reader = psycopg2.connect(env.postgres.conninfo(env.database, user="grafana", tcp=True, password="x"))
    cursor = reader.cursor()
    cursor.execute(expand(annotation["target"]["rawSql"]))
    row, = cursor.fetchall()
    assert row[0] < row[1] and "power loss" in row[2] and row[3] == "b", row
    reader.close()


def names_of(expression):
    return set(re.findall(r"\bmqtt2pg_[a-z0-9_]+", expression))


def test_names_of_metrics(env):
    """Dashboard and alerts ask for metrics that exist, by labels that they have."""
    rule = """{ name = "r"; topic = "~/x"; table = "t"; create = true; columns = { a = "$.a"; }; ack: { topic = "~/ack"; }; }"""
    bridge = env.bridge(rule)
    env.publish([("~/x", '{"a":1}'), ("~/x", "rubbish")])
    env.wait(lambda: bridge.metric("acks_published_total", rule="r", status="stored") == 1, 10, "no acknowledgment")
    names, labels = set(), {}
    for line in bridge.get("/metrics").out.splitlines():
        if not line.startswith("#"):
            name = re.match(r"\w+", line).group(0)
            names.add(name)
            labels.setdefault(name, set()).update(re.findall(r'(\w+)="', line))
    with open(ALERTS) as file:
        alerts = [rule["expr"] for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]
    queries = [target["expr"] for _, _, target in targets("prometheus")]
    assert len(queries) > 20 and len(alerts) >= 8
    for query in queries + alerts:
        unknown = names_of(query) - names
        assert not unknown, f"no metric {unknown}: {query}"
        for by in re.findall(r"by \(([\w, ]+)\)", query):
            for label in set(by.split(", ")) - {"instance"}:
                assert all(label in labels[name] for name in names_of(query)), f"{label} is no label: {query}"
        for label, value in set(re.findall(r'(\w+)="(\w+)"', query)) - {("job", "mqtt2pg")}:
            assert any(f'{label}="{value}"' in line for line in bridge.get("/metrics").out.splitlines()), f"{label}={value}: {query}"
    shown = set().union(*(names_of(query) for query in queries + alerts))
    base = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    every = {re.sub("_(bucket|sum|count)$", "", name) for name in names}
    unseen = every - base - {"mqtt2pg_messages_journaled_total", "mqtt2pg_journal_messages_at_start", "mqtt2pg_rule_matched_total",
                             "mqtt2pg_broker_url"}  # which one of several: the log tells
    assert not unseen, f"no panel and no alert shows {unseen}"


def test_dashboards_hang_together(env):
    """Data sources by variables of a type that is provisioned, panels that do not overlap, no id twice."""
    with open(os.path.join(GRAFANA, "provisioning/datasources/mqtt2pg.yaml")) as file:
        sources = {source["type"] for source in yaml.safe_load(file)["datasources"]}
    for name, dashboard in dashboards().items():
        cells, ids = set(), set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24 and panel["id"] not in ids, panel["title"]
            ids.add(panel["id"])
            own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert not own & cells, f"{name}: {panel['title']} covers another panel"
            cells |= own
        # Data sources are chosen when a dashboard is imported: no uid of ours is fixed.
        assert "uid" not in dashboard, name
        chosen = {"${%s}" % variable["name"]: variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "datasource"}
        assert set(chosen.values()) <= sources, chosen
        for source in json_values(dashboard, "datasource"):
            assert chosen[source["uid"]] == source["type"], f"{name}: {source}"
    with open(os.path.join(GRAFANA, "provisioning/dashboards/mqtt2pg.yaml")) as file:
        path = yaml.safe_load(file)["providers"][0]["options"]["path"]
    with open(os.path.join(ROOT, "docker/compose.yaml")) as file:
        grafana = yaml.safe_load(file)["services"]["grafana"]
    assert f"./grafana/dashboards:{path}:ro" in grafana["volumes"], path
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{path}/fleet.json"


def test_alerts_fire(env):
    """promtool runs docker/prometheus/alerts.test.yml, where it is installed."""
    if not shutil.which("promtool"):
        raise Skip("promtool (Debian package prometheus) is not installed")
    folder = os.path.dirname(ALERTS)
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
