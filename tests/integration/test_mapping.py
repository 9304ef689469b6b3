"""Any topic, any payload, any table: each case of tests/data/mapping/ and each message of config/examples/ goes through `explain` and through
the whole service into PostgreSQL, and both must do what the case says.

One service takes all cases at once. Each gets a topic of its own, `PREFIX/CASE/…`, so that its rows (a column for the case is added
to rules and tables) and its dead letters can be told from those of the others.

SPDX-License-Identifier: MIT
"""

import concurrent.futures
import glob
import os
import re

import psycopg2

import mapping
from env import ROOT, limit, quick
from test_plan import edit

CASE, RULE = "mapping_case", "mapping_rule"  # two columns more, so that each row tells where it comes from
DATA = os.path.join(ROOT, "tests/data/mapping")
EXAMPLES = os.path.join(ROOT, "config/examples")


# --- the rules, as they stand and as they run here

def with_cases(block):
    """The rules with the case in topic and columns."""
    text = re.sub(r'\btopic\s*=\s*(?:"[^"]*"|\([^)]*\))', lambda topics: re.sub(r'"(?![$@])([^"]*)"', rf'"~/{{{CASE}}}/\1"', topics[0]), block.rules)
    if block.finally_:
        return text
    text = re.sub(r"\bcolumns(\s*)=(\s*){", rf'columns\1=\2{{ {CASE} = "{{{CASE}}}"; {RULE} = "@rule";', text)
    return re.sub(r"\bcolumns(\s*)=(\s*)\(", rf'columns\1=\2( {{ name = "{CASE}"; value = "{{{CASE}}}"; }}, {{ name = "{RULE}"; value = "@rule"; }},', text)


def columns_group(text):
    """Where the group `columns` begins and ends."""
    begin = re.search(r"\bcolumns\s*=\s*{", text)
    if not begin:
        return None
    end = begin.end()
    while mapping.depth(text[begin.end() - 1:end]) > 0:
        end += 1
    return begin.end(), end


def with_types(env, block):
    """The rules, each expression with the type that its column has, so that `explain` knows what the service reads from the catalog."""
    tables, out = block.tables(), block.rules
    for name, text in block.rule_parts():
        group = columns_group(text)
        if tables[name] is None or group is None:
            continue
        typed = text[group[0]:group[1]]
        for column, type_name in env.sql("""
                select a.attname, case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) else format_type(t.oid, a.atttypmod) end
                  from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = to_regclass(%s) and a.attnum > 0""", tables[name]):
            escaped = type_name.replace('"', '\\"')
            typed = re.sub(rf'(\b{re.escape(column)}\s*=\s*")((?:(?!::)(?:[^"\\]|\\.))*)"', lambda m: f'{m[1]}{m[2]} :: {escaped}"', typed)
        out = out.replace(text, text[:group[0]] + typed + text[group[1]:])
    return out


# --- explain

# What `explain` may say for what the case says: it knows no NOT NULL, no domain, no constraint, and no trigger.
LESS_KNOWN = {("rows", "refused"), ("rejected", "refused"), ("rows", "stored")}

def explain(env, config, case):
    """Rule → Fate, from what `explain` prints."""
    done = env.cli("explain", case.topic, "-", config=config, stdin=case.payload)
    fates = {}
    for line in done.out.splitlines():
        told = mapping.read_json(line)
        fate = fates.setdefault(told["rule"], mapping.Fate("stored"))
        if "rejected" in told:
            fate.kind, fate.reason = "rejected", told["rejected"]
        elif "filtered" in told:
            fate.kind = "filtered"
        elif "rows" in told:
            fate.kind = "no rows"
        else:
            fate.kind = "rows"
            fate.rows.append(line[line.index('"row":') + len('"row":'):-1])
    wanted = 1 if not fates or any(fate.kind == "rejected" for fate in fates.values()) else 0
    assert done.code == wanted, f"{case.place}: explain gives {done}"
    return fates


def as_stored(env, table, row):
    """A row of explain as the table's own types have it; None when the server can't read it in this form."""
    try:
        text = env.one(f"select row_to_json(r)::text from json_populate_record(null::{table}, %s::json) r", row)
    except psycopg2.DataError:
        return None
    return {name: value for name, value in mapping.read_json(text).items() if name in mapping.read_json(row)}


def reduced(stored, row):
    return {name: value for name, value in stored.items() if name in row}


def compare_explain(env, case, told, typed, stored):
    """What `explain` tells against what the case says, and against the rows that the service stored."""
    wrong, tables = [], case.block.tables()
    names = set(tables) if None not in case.fates else {next(iter(told), next(iter(tables)))}
    for name in names:
        wanted = case.fates.get(name) or case.fates.get(None) or mapping.Fate("unmatched")
        got = told.get(name) or mapping.Fate("unmatched")
        if wanted.kind == "rejected" and (got.kind == "rejected" if typed else got.kind in ("rejected", "rows")):
            if got.kind == "rejected" and not mapping.same_reason(name, wanted.reason, got.reason):
                wrong.append(f"{name}: rejects with\n         {got.reason}\n     not {wanted.reason}")
        elif got.kind != wanted.kind and (got.kind, wanted.kind) not in LESS_KNOWN:
            wrong.append(f"{name}: {got.kind} {got.reason or ''}, not {wanted.text}")
        elif wanted.kind == "rows":
            rows = [as_stored(env, tables[name], row) for row in got.rows]
            there = stored.get((case.id, name)) or wanted.rows
            if len(rows) != len(wanted.rows):
                wrong.append(f"{name}: {len(rows)} rows, not {len(wanted.rows)}")
            for row, service in zip(rows, there):
                if row is None and typed and not any("\\u0000" in text for text in got.rows):  # nothing reads that but the type json
                    wrong.append(f"{name}: the server can't read {got.rows}")
                elif row is not None and not mapping.same(hide(row, wanted.rows), reduced(service, row)):
                    wrong.append(f"{name}: {row}\n     but the service stores {service}")
    return [f"{case.place}: explain {'with types ' if typed else ''}{text}" for text in wrong]


def hide(row, wanted):
    """What the case leaves open ("…": the time of receipt) is left open."""
    return {name: mapping.ANY if any(w.get(name) == mapping.ANY for w in wanted) else value for name, value in row.items()}


def check_explain(env, blocks, stored):
    """Both ways of writing the rules; as they stand only for messages that give rows, for without types little else is known."""
    calls = []
    for block in blocks:
        for typed, rules in ((False, block.rules), (True, with_types(env, block))):
            config = env.bridge(rules, start=False, name=f"explain-{len(env.bridges)}")
            calls += [(case, typed, config) for case in block.cases
                      if not case.options and (typed or any(fate.kind == "rows" for fate in case.fates.values()))]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda call: explain(env, call[2], call[0]), calls))
    return [text for (case, typed, _), fates in zip(calls, told) for text in compare_explain(env, case, fates, typed, stored)]


# --- the service

def prepare(env, blocks):
    """Tables; and the blocks that can run here."""
    ready = []
    for block in blocks:
        if block.requires:
            try:
                env.admin(f"create extension if not exists {block.requires}")
            except psycopg2.Error:
                print(f"     {block.file}: no extension {block.requires} here, passed over: {block.title}")
                continue
        env.sql(block.sql.strip() or "select 1")
        for table in {table for table in block.tables().values() if table and not block.finally_}:
            if env.one("select to_regclass(%s)", table):
                env.sql(f"alter table {table} add column {CASE} text, add column {RULE} text")
        ready.append(block)
    for number, case in enumerate((case for block in ready for case in block.cases), 1):
        case.id = f"c{number}"
    return ready


def is_published(case):
    """$SYS is the broker's own, and what no rule wants never arrives."""
    return not case.topic.startswith("$") and all(fate.kind != "unmatched" for fate in case.fates.values())


def run_service(env, blocks):
    cases = [case for block in blocks for case in block.cases if is_published(case)]
    rules = ",\n".join(with_cases(block).strip().rstrip(",") for block in blocks if any(map(is_published, block.cases)))
    bridge = env.bridge(rules, batch={"max_delay": "500ms"})
    env.publish([(f"~/{case.id}/{case.topic}", case.payload, case.options.get("qos", 1),
                  {name: value for name, value in case.options.items() if name != "qos"}) for case in cases], version=5)
    env.wait(lambda: bridge.metric("messages_received_total") >= len(cases), 30,
             lambda: f"{bridge.metric('messages_received_total'):.0f} of {len(cases)} messages came")
    bridge.check_books()
    return bridge


def read_rows(env, blocks):
    """(case, rule) → rows in the order in which they were stored."""
    stored = {}
    for table in {table for block in blocks for table in block.tables().values() if table and not block.finally_}:
        for text, in env.sql(f"select row_to_json(this_row)::text from {table} this_row order by tableoid, ctid"):
            row = mapping.read_json(text)
            stored.setdefault((row.pop(CASE), row.pop(RULE)), []).append(row)
    return stored


def read_letters(env):
    """(case, rule) → reason."""
    return {(topic.split("/", 1)[0], rule): reason for rule, topic, reason, _, _ in env.dead_letters()}


def compare_service(case, name, wanted, stored, letters):
    rows, reason = stored.get((case.id, name), []), letters.get((case.id, name))
    if not mapping.same_reason(name, wanted.reason, reason):
        return [f"{case.place}: {name} rejects with\n         {reason}\n     not {wanted.reason}"]
    if case.block.finally_ or (wanted.kind == "rows" and len(rows) == len(wanted.rows) and all(map(mapping.same, wanted.rows, rows))):
        return []
    return [f"{case.place}: {name} stores\n         {rows}\n     not {wanted.text}"] if rows or wanted.kind == "rows" else []


def check_counts(bridge, blocks):
    """Stored, filtered and rejected messages of each rule, as the metrics have them: a filtered message leaves no other trace."""
    wrong, metrics = [], bridge.metrics()
    for block in blocks:
        wanted = {name: {"stored": 0, "filtered": 0, "rejected": 0} for name in block.tables()}
        for case in filter(is_published, block.cases):
            for name, fate in case.fates.items():
                kind = {"refused": "rejected", "rows": "stored", "no rows": "stored"}.get(fate.kind, fate.kind)
                wanted[name or next(iter(wanted))][kind] += 1
        for name, counts in wanted.items():
            got = {fate: metrics.get(f'rule_messages_total{{rule="{name}",outcome="{fate}"}}', 0) for fate in counts}
            if got != counts:
                wrong.append(f"{block.file}, {name}: counted {got}, not {counts}")
    return wrong


def check_finally(env, blocks):
    wrong = []
    for block in blocks:
        for table, rows in block.finally_.items():
            there = [mapping.read_json(text) for text, in env.sql(f"select row_to_json(this_row)::text from {table} this_row")]
            missing = [row for row in rows if not any(mapping.same(row, other) for other in there)]
            if missing or len(rows) != len(there):
                wrong.append(f"{block.file}: {table} has in the end\n         {there}\n     not {rows}")
    return wrong


def check(env, blocks):
    blocks = prepare(env, blocks)
    bridge = run_service(env, blocks)
    stored, letters = read_rows(env, blocks), read_letters(env)
    wrong = check_counts(bridge, blocks) + check_finally(env, blocks)
    for block in blocks:
        for case in filter(is_published, block.cases):
            for name, wanted in case.fates.items():
                wrong += compare_service(case, name or next(iter(block.tables())), wanted, stored, letters)
    wrong += check_explain(env, blocks, stored)
    assert not wrong, f"{len(wrong)} differences:\n     " + "\n     ".join(wrong[:400])
    return bridge


# --- the tests

@quick
@limit(120)
def test_cases(env):
    blocks = [block for path in sorted(glob.glob(os.path.join(DATA, "*.cases"))) for block in mapping.read_cases(path)]
    count = sum(len(block.cases) for block in blocks)
    assert count >= 1, f"only {count} cases were found"
    check(env, blocks)


@quick
@limit(120)
def test_examples(env):
    """Each configuration of config/examples/ is right, its tables fit, and its messages become the rows that stand beside them."""
    paths = sorted(glob.glob(os.path.join(EXAMPLES, "*.cfg")))
    check(env, [mapping.read_example(path) for path in paths])
    for path in paths:
        done = env.cli("check", "--database", config=path, environment={"MQTT2PG_DATABASE": env.postgres.conninfo(env.database)})
        assert done.code == 0 and "no mistakes" in done.out and "warning" not in done.out, f"{path}: {done}"
        name = os.path.basename(path).removesuffix(".cfg")  # an ordinary user can't write to the default directory
        with open(path, encoding="utf-8") as file:
            assert f'journal: {{ directory = "journal-{name}"; }};' in file.read(), path


def check_several_topics(env, protocol):
    """A rule with a list of topics: each message once, whatever copies come; retained ones; acknowledgments; a topic added by SIGHUP."""
    env.sql("create table several (device text, v int)")
    env.publish([("~/s/kept/new", "1", 1, {"retain": protocol == "5"})])
    rule = """{ name = "several"; topic = (%s); table = "several"; columns = { device = "{device}"; v = "$"; }; ack: { topic = "~/acks/{device}"; }; }"""
    first = '"~/s/{device}/new", "~/s/old/{device}", "~/other/{device}/#"'
    kept = [("kept", 1)] if protocol == "5" else []  # of MQTT 3.1.1 a subscription that is new brings it again
    bridge = env.bridge(rule % first, broker={"protocol": protocol})
    acks = env.subscribe("~/acks/#")
    env.publish([("~/s/d1/new", "2"), ("~/s/old/d2", "3"), ("~/other/d3", "4"), ("~/s/old/new", "5"), ("~/s/d9/x", "6")])
    env.wait_rows("several", len(kept) + 4)
    acks.wait(4)
    edit(bridge, rule % '"~/s/{device}/new", "~/s/old/{device}", "~/s/{device}/#"')
    env.publish([("~/s/d1/new", "7"), ("~/s/d4/x", "8"), ("~/s/old/d5", "9"), ("~/other/d3", "10")])
    env.wait_rows("several", len(kept) + 7)
    bridge.wait_quiet()
    assert env.sql("select device, v from several order by v") == kept + [
        ("d1", 2), ("d2", 3), ("d3", 4), ("old", 5), ("d1", 7), ("d4", 8), ("d5", 9)]


@quick
def test_several_topics_mqtt5(env):
    check_several_topics(env, "5")


def test_several_topics_mqtt311(env):
    check_several_topics(env, "3.1.1")


def test_system_topics(env):
    """$SYS comes from the broker itself: a rule gets it by name, and a wildcard in front does not match it."""
    env.sql("create table system_rows (name text, v text); create table all_rows (topic text)")
    bridge = env.bridge("""
      { name = "system"; topic = "$SYS/broker/{name...}"; table = "system_rows"; format = "text"; where = "{name} = 'version'"; columns = { name = "{name}"; v = "$"; }; },
      { name = "all"; topic = "#"; table = "all_rows"; format = "raw"; columns = { topic = "@topic"; }; }""")
    env.publish([("~/x", "1")])
    env.wait(lambda: env.sql("select v from system_rows where name = 'version' and v like 'mosquitto%'"), 20, "the broker's version did not come")
    env.wait(lambda: env.one("select count(*) from all_rows where topic = %s", env.topic("~/x")) == 1, 20, "the other message did not come")
    bridge.wait_quiet()
    assert env.one("select count(*) from all_rows where topic like '$SYS%'") == 0
