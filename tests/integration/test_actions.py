"""Actions of the status page: off unless asked for, closed to other sites and to guesses, and each does what its command does.

SPDX-License-Identifier: MIT
"""

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from env import limit, quick
from scenes import NUMBERED_RULE, check_numbered, make_numbered, numbered

TOKEN = "a token of twenty-four bytes"
ADMIN = {"admin": True}


@quick
def test_off_by_default(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE)
    assert bridge.get("/status.json").json["actions"] is None
    answer = bridge.act("retry")
    assert answer.code == 403 and "http.admin = true" in answer.json["error"], answer


@quick
def test_other_sites_are_refused(env):
    """What a page of another site can send acts on nothing: no header of ours, another origin, a name that was made to point here."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN)
    assert bridge.get("/status.json").json["actions"] == {"token": False}
    here = f"http://127.0.0.1:{bridge.http_port}"
    env.publish([("~/n/a", "no json")])
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "no dead letter")
    for headers in ({"X-Mqtt2pg": None}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Host": f"evil.example:{bridge.http_port}"},
                    {"Host": f"evil.example:{bridge.http_port}", "Origin": f"http://evil.example:{bridge.http_port}"}):
        answer = bridge.act("purge", all=1, headers=headers)
        assert answer.code == 403 and "error" in answer.json, f"{headers}: {answer}"
    for method in ("GET", "PUT", "DELETE"):
        answer = bridge.act("purge", all=1, method=method)
        assert answer.code == 405 and answer.headers["Allow"] == "POST", f"{method}: {answer}"
    # The question that a browser asks for another site before it sends our header gets no leave.
    preflight = bridge.act("purge", method="OPTIONS", headers={"X-Mqtt2pg": None, "Origin": "https://evil.example",
                                                               "Access-Control-Request-Headers": "x-mqtt2pg"})
    assert preflight.code == 403 and not any("access-control" in name.lower() for name in preflight.headers), preflight
    assert len(env.dead_letters()) == 1
    assert bridge.act("purge", all=1, headers={"Origin": here, "Sec-Fetch-Site": "same-origin"}).json["count"] == 1
    assert env.dead_letters() == []


@quick
def test_token_is_wanted(env):
    """With a token every action wants it, also on loopback; token_file is read again; it is shown nowhere."""
    make_numbered(env)
    path = os.path.join(env.folder, "token")
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(TOKEN + "\n")
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN | {"token_file": path})
    assert bridge.get("/status.json").json["actions"] == {"token": True}
    for authorization in (None, "Bearer ", "Bearer a token", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
        answer = bridge.act("letters", headers={"Authorization": authorization})
        assert answer.code == 401 and answer.headers["WWW-Authenticate"] == "Bearer", f"{authorization}: {answer}"
    assert bridge.act("letters", headers={"Authorization": f"Bearer {TOKEN}"}).json["letters"] == []
    with open(path, "w") as file:
        file.write("another one, also long enough\n")
    assert bridge.act("letters", headers={"Authorization": f"Bearer {TOKEN}"}).code == 401
    assert bridge.act("letters", headers={"Authorization": "Bearer another one, also long enough"}).code == 200
    for text in (bridge.log(), bridge.get("/status.json").out):
        assert TOKEN not in text and "also long enough" not in text


@quick
def test_actions_are_bounded(env):
    """Too often is 429, too large is 413, nonsense is 400 or 404; the pages answer all the while."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN)
    assert bridge.act("nothing").code == 404 and bridge.act("show", id=999).code == 404
    for name, arguments in (("show", {}), ("show", {"id": "x"}), ("show", {"id": -1}), ("purge", {}), ("ack", {}), ("tap", {}),
                            ("try", {"topic": "a/+"}), ("try", {})):
        assert bridge.act(name, **arguments).code == 400, f"{name} {arguments}"
    assert bridge.act("tap", rule="none").code == 404 and bridge.act("retry", rule="none").code == 409
    assert bridge.act("try", topic="a", body=b"x" * (3 << 20)).code in (413, 0)
    # Several at once, of the cheapest kind: one client after the other may be too slow for that, and then is let through.
    with ThreadPoolExecutor(8) as clients:
        codes = {*clients.map(lambda _: bridge.act("nothing").code, range(400))}
    assert codes == {404, 429}, codes
    assert bridge.get("/healthz").code == 200
    bridge.check_books()


def test_try_says_what_explain_says(env):
    """The same lines, for each kind of fate; and the file is read anew, so that a change can be tried before the reload."""
    make_numbered(env)
    rules = NUMBERED_RULE + """, { name = "some"; topic = "~/n/+"; table = "numbered"; where = "$.n > 5";
                                  columns = { topic = "@topic"; n = "$.n"; }; }"""
    bridge = env.bridge(rules, http=ADMIN)
    for topic, payload in ((env.topic("~/n/a"), b'{"n":7}'), (env.topic("~/n/a"), b'{"n":1}'), (env.topic("~/n/a"), b"no json"),
                           (env.topic("~/n/b"), b'{"n":"\xff"}'), ("nobody/takes/this", b"")):
        said = env.cli("explain", topic, "-", config=bridge, stdin=payload)
        tried = bridge.act("try", topic=topic, body=payload).json

        def facts(line):
            row = line.get("row") or {}
            return {**line, "row": {**row, "received": None}} if row else line
        assert [facts(json.loads(line)) for line in said.out.splitlines()] == [facts(line) for line in tried["lines"]], (said, tried)
    assert any("no rule" in remark for remark in tried["remarks"]), tried
    bridge.configure(rules=rules.replace("$.n > 5", "$.n > 500"))
    assert {"rule": "some", "filtered": True} in bridge.act("try", topic=env.topic("~/n/a"), body=b'{"n":7}').json["lines"]
    bridge.configure(rules=rules.replace("$.n > 5", "$.n >"))
    refused = bridge.act("try", topic=env.topic("~/n/a"), body=b'{"n":7}')
    assert refused.code == 409 and "where" in refused.json["error"], refused
    assert env.one("select count(*) from numbered") == 0


def test_dead_letters_are_shown_retried_and_removed(env):
    """Listed without payloads, shown whole, retried by rule and by number, removed by rule."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN)
    env.publish([("~/n/a", '{"n":"x%d", "word":"secret-payload"}' % n) for n in range(4)])
    env.wait(lambda: len(env.dead_letters()) == 4, 10, "no dead letters")
    listed = bridge.act("letters").json
    ids = [letter["id"] for letter in listed["letters"]]
    assert len(ids) == 4 and not listed["more"] and "secret-payload" not in json.dumps(listed), listed
    assert listed["letters"][0]["rule"] == "numbered" and 'column "n"' in listed["letters"][0]["reason"], listed
    assert [letter["id"] for letter in bridge.act("letters", after=ids[1]).json["letters"]] == ids[2:]
    assert json.loads(bridge.act("show", id=ids[0]).json["payload"])["word"] == "secret-payload"
    again = bridge.act("retry", id=ids[0]).json
    assert again["letters"] == 1 and again["stored"] == 0 and "rejected again" in again["text"], again
    bridge.configure(rules=NUMBERED_RULE.replace("$.n", "$.n | extract '[0-9]+'"))
    assert bridge.act("retry", id=ids[0]).json["stored"] == 1
    assert bridge.act("retry", rule="numbered").json["stored"] == 3
    assert env.sql("select n from numbered order by n") == [(0,), (1,), (2,), (3,)]
    bridge.configure(rules=NUMBERED_RULE)
    env.publish([("~/n/a", "no json")])
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "no dead letter")
    assert bridge.act("purge", rule="another").json["count"] == 0
    assert bridge.act("purge", rule="numbered").json == {"count": 1, "text": "1 dead letter removed"}
    assert "action of the status page" in bridge.log() and "action=purge" in bridge.log()


def test_gap_is_acknowledged(env):
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN)
    gap = env.one("insert into mqtt2pg.gap (client_id, cause, noticed_at) values (%s, 'a test', now()) returning id", bridge.client_id)
    env.wait(lambda: bridge.get("/status.json").json["gaps_open"] == 1, 15, "the gap is not noticed")
    assert bridge.act("ack", id=gap + 1).code == 404
    assert bridge.act("ack", id=gap).json["count"] == 1
    assert bridge.get("/status.json").json["gaps_open"] == 0


@limit(90)
def test_database_away_ends_with_a_reason(env):
    """An action on a database that does not answer ends with a reason; meanwhile the pages answer at once."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN)
    server = env.postgres
    server.stop()
    answer = bridge.act("letters")
    assert answer.code == 503 and "database" in answer.json["error"], answer
    assert bridge.act("try", topic=env.topic("~/n/a"), body=b'{"n":1}').code == 200
    server.start()
    env.wait(lambda: bridge.act("letters").code == 200, 20, "does not find the database again")


def test_tap_follows_a_rule(env):
    """Live messages of one rule with their rows; from where the last poll ended; a flood is cut and counted; a reload is followed."""
    make_numbered(env)
    other = """, { name = "other"; topic = "~/o/{who}"; table = "numbered"; columns = { topic = "{who}"; n = "$.n"; }; }"""
    bridge = env.bridge(NUMBERED_RULE + other, http=ADMIN)
    env.publish([*numbered("a", 0, 3), ("~/o/a", '{"n":7}'), ("~/n/a", "no json")])
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "no dead letter")
    first = bridge.act("tap", rule="numbered").json
    assert [message["topic"] for message in first["messages"]] == [env.topic("~/n/a")] * 4, first
    assert [message["lines"][0].get("row", {}).get("n") for message in first["messages"]] == [0, 1, 2, None], first
    assert "no JSON" in first["messages"][3]["lines"][0]["rejected"] or "json" in first["messages"][3]["lines"][0]["rejected"], first
    assert bridge.act("tap", rule="numbered", after=first["next"]).json["messages"] == []
    env.publish(numbered("b", 0, 100))
    env.wait_rows("numbered", 104)
    flood = bridge.act("tap", rule="numbered", after=first["next"]).json
    assert len(flood["messages"]) == 20 and flood["more"] == 80 and flood["skipped"] == 0, flood
    bridge.configure(rules=NUMBERED_RULE.replace("$.n", "$.n | scale 10"))
    bridge.signal(signal.SIGHUP)
    bridge.wait_log("configuration reloaded")
    env.publish(numbered("c", 5, 1))
    env.wait_rows("numbered", 105)
    after = bridge.act("tap", rule="numbered", after=flood["next"]).json
    assert [message["lines"][0]["row"]["n"] for message in after["messages"]] == [50], after
    assert bridge.act("tap", rule="other").code == 404
    bridge.check_books()


def test_tap_beside_an_edited_file(env):
    """Of an edited file that is not loaded, tap shows nothing: it shows what is stored, also while the file has mistakes; try uses the file and says so."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN)
    env.publish(numbered("a", 0, 2))
    check_numbered(env, {"a": 2})

    def told():
        tried = bridge.act("try", topic=env.topic("~/n/a"), body=b'{"n":7}').json
        return tried["lines"][0]["row"]["n"], [remark for remark in tried["remarks"] if "not loaded" in remark]
    assert told() == (7, []), told()
    edited = NUMBERED_RULE.replace("$.n", "$.n | scale 10") + NUMBERED_RULE.replace('"numbered"; topic', '"later"; topic').replace("{", ", {", 1)
    bridge.configure(rules=edited)
    shown = [message["lines"][0]["row"]["n"] for message in bridge.act("tap", rule="numbered").json["messages"]]
    assert shown == [0, 1] == [n for n, in env.sql("select n from numbered order by n")], shown
    later = bridge.act("tap", rule="later")
    assert later.code == 404 and "reload" in later.json["error"], later
    assert told()[0] == 70 and bridge.file in told()[1][0], told()
    bridge.configure(rules=edited + "nonsense")
    assert bridge.act("tap", rule="numbered").code == 200
    bridge.configure(rules=edited)
    reload(bridge)
    for rule, rows in (("later", [0, 1]), ("numbered", [0, 10])):
        shown = [message["lines"][0]["row"]["n"] for message in bridge.act("tap", rule=rule).json["messages"]]
        assert shown == rows, (rule, shown)
    assert told() == (70, []), told()
    bridge.check_books()


def reload(bridge):
    """SIGHUP, and the rules of the file are in force."""
    before = bridge.log().count("configuration reloaded")
    bridge.signal(signal.SIGHUP)
    bridge.env.wait(lambda: bridge.dead_or(lambda: bridge.log().count("configuration reloaded") > before), 20, "no reload")


class Clicks:
    """Somebody who tries, watches, lists and retries all the time, in a thread; `done` counts what was let through, `strange` has the answers
    that nobody should get. The service takes ten actions a second: a pause leaves some of them to the test itself."""

    def __init__(self, env, bridge, headers):
        self.env, self.bridge, self.headers, self.strange, self.stopped, self.done = env, bridge, headers, [], threading.Event(), 0
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        env.closing.append(self.stop)

    def work(self):
        topic = self.env.topic("~/n/try")
        clicks = (("try", {"topic": topic, "body": b'{"n":1}'}), ("tap", {"rule": "numbered"}), ("tap", {"rule": "renamed"}), ("letters", {}),
                  ("retry", {"rule": "numbered"}))
        while not self.stopped.wait(0.15):
            name, arguments = clicks[self.done % len(clicks)]
            answer = self.bridge.act(name, headers=self.headers, **arguments)
            self.done += answer.code != 429
            fates = answer.json.get("lines", [{}]) if answer.code == 200 else [{}]
            known = answer.code in (200, 429, {"tap": 404, "retry": 409}.get(name))
            if not known or len(fates) != 1 or name == "try" and answer.code == 200 and fates[0].get("row", {}).get("n") not in (1, -1):
                self.strange.append((name, answer))

    def stop(self):
        self.stopped.set()
        self.thread.join(30)


@quick
@limit(120)
def test_reloads_do_not_disturb(env):
    """Rules are renamed back and forth under load and clicks; the token's file changes; a retry is under way while the rules change."""
    make_numbered(env)
    env.sql("create table slow (n bigint); create table strict (n bigint check (n < 0))")
    slow = """, { name = "slow"; topic = "~/s"; table = "strict"; columns = { n = "$.n"; }; }"""
    before = NUMBERED_RULE + slow
    after = before.replace('"numbered"; topic', '"renamed"; topic').replace('"$.n"; qos', '"$.n | scale -1"; qos').replace("strict", "slow")
    token = os.path.join(env.folder, "token")

    def write(path, text):
        with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
    def replace(text):
        """As an editor does: actions read the file at any moment."""
        write(bridge.file + ".new", text)
        os.replace(bridge.file + ".new", bridge.file)
    write(token, TOKEN)
    bridge = env.bridge(before, http=ADMIN | {"token_file": token})
    bridge.write = replace
    headers = {"Authorization": f"Bearer {TOKEN}"}
    env.publish([("~/s", '{"n":%d}' % n) for n in range(5)])
    env.wait(lambda: len(env.dead_letters()) == 5, 10, "no dead letters")
    load = env.publish_in_background((message for n, message in enumerate(numbered("a", 0, 6000))
                                      for message in (message, ("~/n/bad", "no json"))[:1 + (n % 100 == 0)]), rate=500)
    clicks = Clicks(env, bridge, headers)
    for rules, there, gone in ((after, "renamed", "numbered"), (before, "numbered", "renamed")) * 2:
        bridge.configure(rules=rules)
        reload(bridge)
        env.wait(lambda rule=there: bridge.act("tap", rule=rule, headers=headers).code == 200, 10, f"no tap of {there}")
        env.wait(lambda rule=gone: bridge.act("tap", rule=rule, headers=headers).code == 404, 10, f"{gone} is tapped, and is no rule any more")
        env.wait(lambda enough=clicks.done + 5: clicks.done >= enough, 20, "each click once by these rules")
        shown = [rule["name"] for rule in bridge.get("/status.json").json["rules"] if not rule["removed"]]
        assert shown == sorted({there, "slow"}, key=("numbered", "slow", "renamed").index), shown
    clicks.stop()
    assert not clicks.strange, clicks.strange[:3]

    # A name that only the file has: it can be tried, and is no rule.
    bridge.configure(rules=before.replace('"numbered"; topic', '"only-tried"; topic'))
    env.wait(lambda: bridge.act("try", topic=env.topic("~/n/a"), body=b'{"n":1}', headers=headers).code == 200, 10, "no try")
    assert "only-tried" not in bridge.get("/status.json").out and "only-tried" not in bridge.get("/metrics").out

    # The token's file is read again; another file is taken at the next restart only.
    other = os.path.join(env.folder, "other-token")
    write(other, "of the next restart, long enough")
    write(token, "another one, also long enough")
    bridge.configure(rules=before, http={"token_file": other})
    reload(bridge)
    assert "http.token" in bridge.wait_log("these settings change at the next restart only")
    codes = {text: bridge.act("letters", headers={"Authorization": f"Bearer {text}"}).code
             for text in (TOKEN, "of the next restart, long enough", "another one, also long enough")}
    assert list(codes.values()) == [401, 401, 200], codes
    headers = {"Authorization": "Bearer another one, also long enough"}

    # A retry waits for a lock while its rule gets another table: it ends by the rules with which it began, each letter once.
    bridge.configure(rules=after)
    lock = env.run.connect(env.database, "bridge")
    lock.autocommit = False
    lock.cursor().execute("lock table slow in access exclusive mode")
    answers = []
    retry = threading.Thread(target=lambda: answers.append(bridge.act("retry", rule="slow", headers=headers)))
    retry.start()
    env.wait(lambda: env.admin("select 1 from pg_locks where not granted and relation = 'slow'::regclass"), 10, "the retry does not wait")
    bridge.configure(rules=before)
    reload(bridge)
    lock.commit()
    lock.close()
    retry.join(20)
    assert answers and answers[0].code == 200 and answers[0].json["stored"] == 5, answers
    assert env.one("select count(*) from slow") == 5 and env.one("select count(*) from strict") == 0

    assert load.finish() == 6060
    env.wait(lambda: len(env.dead_letters()) == 60, 10, lambda: f"{len(env.dead_letters())} dead letters, not 60")
    env.wait_growing(lambda: env.one("select count(distinct abs(n)) from numbered where topic = 'a'"), 6000, 30, "messages are lost")
    assert env.one("select count(*) from numbered where topic = 'a'") == 6000, "stored twice"
    bridge.check_books()


def test_tap_command(env):
    """`mqtt2pg tap RULE` shows the same, until it has seen enough; without http.admin it says what to do."""
    make_numbered(env)
    bridge = env.bridge(NUMBERED_RULE, http=ADMIN | {"token": TOKEN})
    env.publish(numbered("a", 0, 3))
    check_numbered(env, {"a": 3})
    said = env.cli("tap", "numbered", "--count", "2", config=bridge)
    assert said.code == 0 and said.out.count(env.topic("~/n/a")) == 2 and '"n":0' in said.out, said
    lines = [json.loads(line) for line in env.cli("tap", "numbered", "--count", "3", "--json", config=bridge).out.splitlines()]
    assert [line["lines"][0]["row"]["n"] for line in lines] == [0, 1, 2], lines
    unknown = env.cli("tap", "none", config=bridge)
    assert unknown.code == 1 and 'no rule "none" is in force' in unknown.err, unknown
    bridge.configure(http={"admin": False})
    bridge.restart()
    off = env.cli("tap", "numbered", config=bridge)
    assert off.code == 1 and "http.admin = true" in off.err, off
