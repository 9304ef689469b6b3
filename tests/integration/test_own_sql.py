"""A rule's own SQL over the batch: it can do much, but neither begin nor end the transaction that keeps exactly-once.

SPDX-License-Identifier: MIT
"""

import json

from env import limit, quick
from scenes import interleaved

RULE = """{ name = "own"; topic = "~/n/{who}"; columns = { who = "{who}"; n = "$.n :: bigint"; };
            sql = %s; }"""


def rule(sql):
    return RULE % json.dumps(sql)


@quick
def test_statements_that_end_the_transaction_are_refused(env):
    """check says FILE:LINE, run does not start; the words inside of quotes and comments are nobody's business."""
    for sql, word in (("insert into sums select who, n from batch; COMMIT; begin", "commit"),
                      ("savepoint x", "savepoint"), ("/* /* */ ; */ rollback", "rollback"), ("vacuum sums", "vacuum"),
                      ("select 'it''s", "end")):
        bridge = env.bridge(rule(sql), start=False)
        with open(bridge.file) as file:
            line = 1 + file.read().split("sql =")[0].count("\n")
        checked = env.cli("check", config=bridge)
        assert checked.code == 3 and f"{bridge.file}:{line}: " in checked.err + checked.out and word in (checked.err + checked.out).lower(), checked
        bridge.launch()
        assert bridge.wait(10) == 3
    allowed = env.bridge(rule("insert into sums select who, n from batch where who <> 'commit;' -- ; rollback"), start=False)
    assert env.cli("check", config=allowed).code == 0


@limit(90)
def test_several_statements_exactly_once_over_kill(env):
    """Three statements over each batch, one with a semicolon in a quote; killed again and again: every row counts once."""
    env.sql("create table sums (who text primary key, total bigint, messages bigint); create table seen (who text, n bigint)")
    bridge = env.bridge(rule("""insert into seen select who, n from batch where who <> E'\\';';
        insert into sums select who, sum(n), count(*) from batch group by who order by who
          on conflict (who) do update set total = sums.total + excluded.total, messages = sums.messages + excluded.messages;
        do $x$ begin perform 1; end $x$ -- nothing"""), batch={"max_rows": 300})
    load = env.publish_in_background(interleaved("ab", 2000), rate=2500)
    for _ in range(3):
        env.wait(lambda: not load.running() or bridge.metric("batches_total") > 2, 10)
        bridge.kill9()
        bridge.start(ready=False)
    load.finish()
    env.wait_rows("seen", 4000)
    assert env.sql("select * from sums order by who") == [(who, 1999000, 2000) for who in "ab"]
    assert env.dead_letters() == []


def test_statement_that_the_server_refuses_parks_the_rule(env):
    """What only the server can know: the rule is parked with PostgreSQL's words, the other rule goes on."""
    env.sql("create table plain (n bigint); create procedure ends() language plpgsql as 'begin commit; end'")
    bridge = env.bridge(rule("call ends()") + """, { name = "plain"; topic = "~/n/+"; table = "plain"; columns = { n = "$.n"; }; }""")
    env.publish(interleaved("a", 50))
    env.wait_rows("plain", 50)
    env.wait(lambda: env.one("select count(*) from mqtt2pg.dead_letter where parked and rule = 'own'") == 50, 15, env.dead_letters)
    assert "invalid transaction termination" in env.dead_letters()[0][2], env.dead_letters()[0]
    bridge.check_books()
