"""The status page in a real browser: it fills, lives, says what is wrong and when it is well again, by eye, keyboard and screen reader.

SPDX-License-Identifier: MIT
"""

import os
import re

import browser
from env import Skip, limit

RULES = """
{ name = "readings"; topic = "~/r/{device}"; table = "readings"; create = true;
  columns = { device = "{device}"; n = "$.n :: bigint"; }; ack: { topic = "~/ack"; }; },
{ name = "a rule with a name_that_goes_on_and_on_without_any_place_to_brk";
  topic = "~/r/{device}"; table = "others"; columns = { n = "$.n"; }; where = "$.n < 0"; }
"""


WELL = ("All is well.", "Storing what arrives.")  # the second one while messages of the last hour were rejected


def luminance(colour):
    """https://www.w3.org/TR/WCAG21/#dfn-relative-luminance, of "rgb(…)"."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(page, selector):
    """Between a text and the nearest ground behind it that is not transparent."""
    text, ground = page.run("""const e = document.querySelector(arguments[0]); let g = e;
        while (/rgba\\(.*, 0\\)/.test(getComputedStyle(g).backgroundColor)) g = g.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(g).backgroundColor]""", selector)
    light, dark = sorted((luminance(text) + 0.05, luminance(ground) + 0.05), reverse=True)
    return light / dark


def nameless(page):
    """What a screen reader would come to and could not name."""
    page.command("Accessibility.enable")
    nodes = page.command("Accessibility.getFullAXTree")["nodes"]
    spoken = ("button", "link", "img", "image", "table", "heading", "region", "DisclosureTriangle")
    found = [node["role"]["value"] for node in nodes if not node["ignored"] and node["role"]["value"] in spoken
             and not node.get("name", {}).get("value", "").strip()]
    roles = {node["role"]["value"] for node in nodes if not node["ignored"]}
    assert {"heading", "table", "main", "status"} <= roles, roles
    return found


def overflowing(page):
    """What makes the page wider than the screen."""
    return page.run("""const wide = document.documentElement.scrollWidth, screen = window.innerWidth;
        return wide <= screen ? [] : [...document.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > screen + 0.5)
            .map((e) => e.tagName + ' ' + (e.id || e.className.baseVal || e.className) + ' ' + (e.textContent || '').slice(0, 40))""")


def start(env):
    if not browser.installed():
        raise Skip("chromium and chromium-driver are not installed")
    page = browser.Browser(os.path.join(env.folder, "browser"))
    env.closing.append(page.stop)
    return page


def test_page_shows_the_state(env):
    page = start(env)
    env.sql("create table others (n bigint)")
    bridge = env.bridge(RULES, broker={"username": "u", "password": "hidden-broker-word"})
    env.publish([*((f"~/r/d{n % 10}", '{"n":%d}' % n) for n in range(200)), ("~/r/<b>odd", '{"n": "seventeen", "note": "payload-word"}')])
    origin = f"http://127.0.0.1:{bridge.http_port}/"
    page.screen(1280, 900)
    page.open(origin)

    # It fills.
    env.wait(lambda: page.text("#headline") in WELL, 15, lambda: page.text("main"))
    env.wait(lambda: "201 in all" in (page.text("#received-note") or ""), 10, lambda: page.text("#live"))
    env.wait(lambda: "200 in all" in page.text("#rows-note") and "<b>odd" in (page.text("#letters") or ""), 10, lambda: page.text("#live"))
    rules = page.text("#rules")
    assert "→ readings" in rules and "r/{device}" in rules, "topic and table are not told"
    assert "readings" in rules and "a rule with a name" in rules and "200" in rules and 'column "n"' in rules, rules
    assert env.broker.url in page.text("#part-broker") and "connected" in page.text("#part-database") and "has room" in page.text("#part-journal")
    env.wait(lambda: page.run("return document.querySelector('#chart .messages').getAttribute('d').length") > 20, 10, "the chart is empty")
    page.run("document.querySelector('#configuration summary').click()")
    env.wait(lambda: '"client_id"' in (page.text("#configuration-text") or ""), 10, "no configuration")
    for secret in ("hidden-broker-word", "payload-word"):
        assert secret not in page.run("return document.documentElement.outerHTML"), f"{secret} is on the page"

    # It lives.
    env.publish([("~/r/d1", '{"n":1}')] * 50)
    env.wait(lambda: "251 in all" in page.text("#received-note"), 10, lambda: page.text("#received-note"))

    # By keyboard and screen reader.
    page.run("document.querySelector('#chart').focus()")
    page.press(["ArrowLeft", "ArrowLeft"])
    assert re.search(r"\d\d:\d\d:\d\d: [\d,.]+ messages a second, [\d,.]+ rows a second", page.run("return document.querySelector('#chart-live').textContent"))
    page.press(["Escape", "Tab", "Enter"])
    focused = page.run("return document.activeElement.tagName")
    assert focused in ("SUMMARY", "BUTTON"), focused
    assert nameless(page) == []

    # On a narrow screen, with everything open; light and dark.
    page.run("document.querySelector('#configuration').open = true")
    for width in (320, 375, 768, 1280):
        page.screen(width, 700)
        env.wait(lambda: overflowing(page) == [], 5, lambda wide=width: f"{wide} pixels wide, and too narrow for {overflowing(page)}")
        cut = page.run("""return [...document.querySelectorAll('#rules .where > :last-child, #rules .name > :first-child')]
            .filter((e) => e.scrollWidth > e.clientWidth && e.textContent.length < 20).map((e) => e.textContent)""")
        assert not cut, f"{width} pixels wide, and {cut} are cut"
    grounds = []
    for dark in (False, True):
        page.dark(dark)
        grounds.append(luminance(page.run("return getComputedStyle(document.body).backgroundColor")))
        low = {what: round(contrast(page, what), 1) for what in ("#headline", "#subline", "#received-note", "#rules th", "#rules .some", "#letters span", "footer a")
               if contrast(page, what) < 4.5}
        assert not low, f"hard to read, dark={dark}: {low}"
    assert grounds[0] > 0.8 and grounds[1] < 0.05, grounds

    # What is wrong, and that it is over: a rule whose table is gone, a database that is away.
    env.sql("alter table others rename to away")
    env.publish([("~/r/d1", '{"n":-1}')])
    env.wait(lambda: page.text("#headline").startswith("Rule a rule with"), 15, lambda: page.text("#state"))
    env.sql("alter table away rename to others")
    env.wait(lambda: page.text("#headline") in WELL, 15, lambda: page.text("#state"))
    env.publish([("~/r/d1", '{"n":1}')] * 50)
    env.wait(lambda: "302 in all" in page.text("#received-note") and "Nothing waits" in page.text("#backlog-note"), 10, lambda: page.text("#received-note"))
    assert page.text("#rows").split()[0] != "0", page.text("#rows")
    env.postgres.stop()
    env.wait(lambda: page.text("#headline").startswith("The database has been away for"), 15, lambda: page.text("#state"))
    assert page.text("#rows").split()[0] == "0", page.text("#rows")
    assert "since" in page.text("#part-database").lower() and "away" in page.text("#part-database"), page.text("#part-database")
    env.publish([("~/r/d1", '{"n":2}')] * 10)
    env.wait(lambda: page.run("return document.querySelector('#backlog').innerText").startswith("10"), 10, lambda: page.text("#backlog"))
    assert "Until the database is back" in page.text("#backlog-note"), page.text("#backlog-note")
    assert "database" in page.run("return document.title")
    env.wait(lambda: "nothing is stored" in page.text("#delay-note"), 5, lambda: page.text("#delay-note"))
    rates = page.run("return [...document.querySelectorAll('#rules td:nth-child(2)')].map((e) => e.textContent)")
    assert rates == ["–", "–"], rates  # rules are applied while rows are stored: nothing is known of now
    env.postgres.start()
    env.wait(lambda: page.text("#headline") in WELL and "Nothing waits" in page.text("#backlog-note"), 20, lambda: page.text("#state"))

    assert page.console() == [], "the console is not empty"
    elsewhere = [url for url in page.requests() if not url.startswith((origin, "data:", "chrome:", "chrome-untrusted:"))]
    assert not elsewhere, f"it asked {elsewhere}"

    # The service ends, and returns.
    bridge.stop()
    env.wait(lambda: page.text("#headline") == "mqtt2pg does not answer.", 10, lambda: page.text("#state"))
    assert page.text("#headline") not in WELL and "All is well" not in page.text("main") and page.text("#rules"), "what it said last is gone"
    bridge.start()
    env.wait(lambda: page.text("#headline") in WELL, 10, lambda: page.text("#state"))


def cut_texts(page):
    """Texts of the chart that stand beyond its edges, at any second of a minute."""
    return page.run("""const box = document.querySelector('#chart').getBoundingClientRect(), begin = Date.parse(answer.now);
        return [...Array(60).keys()].flatMap((second) => { answer.now = new Date(begin + second * 1000).toISOString(); drawChart();
            return [...document.querySelectorAll('#chart text')].filter((e) => { const r = e.getBoundingClientRect();
                return r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1; }).map((e) => e.textContent); })""")


@limit(120)
def test_many_rules_and_a_spike(env):
    """Sixty rules on three screens, troubled ones first, found by a few letters; a spike is cut off with a mark and flattens nothing."""
    page = start(env)
    env.sql("create table strange (n bigint)")
    env.sql("create table away (n bigint)")
    rule = """{ name = "rule %d of the plant"; topic = "~/line%d/{station}"; table = "%s"; columns = { n = "$.n"; }; }"""
    env.sql("create table plain (n bigint)")
    bridge = env.bridge(",".join(rule % (n, n, {41: "away", 17: "strange"}.get(n, "plain")) for n in range(60)))
    page.screen(1280, 1080)
    page.open(f"http://127.0.0.1:{bridge.http_port}/")
    env.wait(lambda: page.text("#headline") == "All is well." and "no message yet on" in page.text("#subline"), 15, lambda: page.text("main"))
    steady = env.publish_in_background(((f"~/line{n % 50}/a", '{"n":%d}' % n) for n in range(100000)), rate=100)
    env.sql("alter table away rename to gone")
    env.publish([("~/line17/a", '{"n":"many"}'), ("~/line41/a", '{"n":1}')])

    def first():
        return page.run("return [...document.querySelectorAll('#rules .name > :first-child')].slice(0, 3).map((e) => e.textContent)")
    wanted = ["rule 41 of the plant", "rule 17 of the plant", "rule 0 of the plant"]
    env.wait(lambda: first() == wanted, 15, first)
    assert "1 parked" in page.text("#rules-note") and "1 with rejected messages" in page.text("#rules-note")
    page.run("document.querySelector('#rules-more').click()")
    env.wait(lambda: page.run("return document.querySelectorAll('#rules tr').length") == 60, 5, "not all are shown")
    height = page.run("return document.documentElement.scrollHeight")
    assert height <= 3 * 1080 + 300, f"60 rules take {height} pixels"  # three screens, and the end of the page
    page.run("""const f = document.querySelector('#rules-filter'); f.value = 'LINE5/'; f.dispatchEvent(new Event('input'))""")
    env.wait(lambda: first() == ["rule 5 of the plant"], 5, first)
    for part, words in (("#about", "MB of memory"), ("#part-journal", "free"), ("#letters-note", "1 wait")):
        env.wait(lambda at=part, text=words: text in (page.text(at) or ""), 15, lambda at=part: page.text(at))

    env.wait(lambda: page.run("return series.received.filter((n) => n > 0).length") > 25, 60, "no steady load")
    env.publish([(f"~/line{n % 10}/a", '{"n":%d}' % n) for n in range(5000)])
    env.wait(lambda: page.text("#chart .clipped") or page.run("return [...document.querySelectorAll('#chart .clipped')].some((e) => e.textContent.startsWith('up to'))"),
             15, lambda: page.run("return JSON.stringify(series.received)"))
    top = page.run("return Math.max(...[...document.querySelectorAll('#chart text')].map((e) => Number(e.textContent) || 0))")
    assert 100 <= top <= 500, f"the axis goes to {top} with 100 messages a second"
    for width in (320, 1280):
        page.screen(width, 900)
        env.wait(lambda: cut_texts(page) == [], 5, lambda wide=width: f"{wide} pixels wide, and cut: {cut_texts(page)}")
    steady.stop()


def test_actions_by_hand(env):
    """Buttons are there only with http.admin; they ask for the token once, and do what they say; removing asks twice."""
    page = start(env)
    token = "a token of twenty-four bytes"
    rules = """{ name = "readings"; topic = "~/r/{device}"; table = "readings"; create = true;
                 columns = { device = "{device}"; n = "$.n :: bigint"; }; }"""
    bridge = env.bridge(rules)
    origin = f"http://127.0.0.1:{bridge.http_port}/"
    page.screen(1280, 900)
    page.open(origin)
    env.wait(lambda: page.text("#headline") in WELL, 15, lambda: page.text("main"))
    assert page.text("#tools") is None and page.text("#letters-acts") is None, "buttons without http.admin"
    bridge.configure(http={"admin": True, "token": token})
    bridge.restart()
    env.wait(lambda: page.text("#tools") is not None, 15, "no tools")

    def fill(selector, text):
        page.run("document.querySelector(arguments[0]).value = arguments[1]", selector, text)

    def click(selector):
        page.run("document.querySelector(arguments[0]).click()", selector)

    # Try; the token is asked for, and a wrong one again.
    fill("#try-topic", env.topic("~/r/d1"))
    fill("#try-payload", '{"n":"<b>odd"}')
    click("#try-go")
    for shown in ("a wrong one, long enough", token):
        env.wait(lambda: page.run("return document.querySelector('#token').open"), 10, "the token is not asked for")
        fill("#token-text", shown)
        click("#token button[value=use]")
    env.wait(lambda: "rejected:" in (page.text("#try-fates") or ""), 10, lambda: page.text("#try"))
    assert "<b>odd" in page.text("#try-fates") and "readings" in page.text("#try-fates"), page.text("#try-fates")
    fill("#try-payload", '{"n":7}')
    click("#try-go")
    env.wait(lambda: '"n":7' in page.text("#try-fates"), 10, lambda: page.text("#try"))
    assert env.one("select count(*) from readings") == 0

    # Watch.
    click("#tap-go")
    env.publish([("~/r/d1", '{"n":1}'), ("~/r/d2", '{"n":"two", "word":"payload-word"}')])
    env.wait(lambda: '"n":1' in (page.text("#taps") or "") and "rejected:" in page.text("#taps"), 10, lambda: page.text("#taps"))
    click("#tap-go")
    assert page.text("#tap-go") == "Watch"

    # Dead letters.
    env.wait(lambda: len(env.dead_letters()) == 1, 10, "no dead letter")
    click("#letters-list")
    env.wait(lambda: "ID " in (page.text("#letters") or ""), 10, lambda: page.text("#letters"))
    click("#letters li .acts button")
    env.wait(lambda: "payload-word" in (page.text("#letters pre") or ""), 10, lambda: page.text("#letters"))
    click("#letters-retry")
    env.wait(lambda: "1 rejected again" in (page.text("#letters-said") or ""), 10, lambda: page.text("#letters-acts"))
    env.wait(lambda: not page.run("return document.querySelector('#letters-retry').disabled"), 10, "the button stays off")
    click("#letters-purge")
    assert page.text("#letters-purge") == "Remove them for ever?" and len(env.dead_letters()) == 1
    click("#letters-purge")
    env.wait(lambda: env.dead_letters() == [], 10, "the dead letter stays")

    # A gap.
    env.sql("insert into mqtt2pg.gap (client_id, cause, noticed_at) values (%s, 'a test', now())", bridge.client_id)
    env.wait(lambda: "a test" in (page.text("#gaps") or ""), 15, "no gap on the page")
    click("#gaps button")
    env.wait(lambda: page.text("#gaps-card") is None and page.text("#headline") in WELL, 10, lambda: page.text("#gaps-card"))
    page.run("document.querySelector('#configuration').open = true")
    env.wait(lambda: '"client_id"' in (page.text("#configuration-text") or ""), 10, "no configuration")
    assert token not in page.run("return document.documentElement.outerHTML")
    for width in (320, 1280):
        page.screen(width, 700)
        env.wait(lambda: overflowing(page) == [], 5, lambda wide=width: f"{wide} pixels wide, and too narrow for {overflowing(page)}")
    assert nameless(page) == []
    strange = [message for level, message in page.console() if "401" not in message]
    assert strange == [] or all("ERR_CONNECTION_REFUSED" in message for message in strange), strange


def test_no_message_yet(env):
    """It says so of a rule only while no message waits that may be the rule's."""
    page = start(env)
    env.sql("create table others (n bigint)")
    bridge = env.bridge(RULES)
    page.screen(1280, 900)
    page.open(f"http://127.0.0.1:{bridge.http_port}/")
    env.wait(lambda: (page.text("#rules") or "").count("no message yet on") == 2, 15, lambda: page.text("main"))
    env.postgres.stop()
    env.publish([("~/r/d1", '{"n":2}')])
    env.wait(lambda: (page.text("#backlog") or "").startswith("1"), 15, lambda: page.text("main"))
    assert "no message yet" not in page.text("#rules") and "{device}" in page.text("#rules"), page.text("#rules")
    env.postgres.start()


def test_times_are_local(env):
    """One kind of time on the whole page, the reader's own, with its zone: in the sentence on top as in the list below it."""
    page = start(env)
    page.command("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")
    env.sql("create table others (n bigint)")
    bridge = env.bridge(RULES)
    env.sql("insert into mqtt2pg.gap (client_id, cause, noticed_at, from_time, to_time) values (%s, 'a test', now(), '2026-01-31 20:00:07+00', '2026-01-31 20:30:00+00')", bridge.client_id)
    page.screen(1280, 900)
    page.open(f"http://127.0.0.1:{bridge.http_port}/")
    env.wait(lambda: "a test" in (page.text("#gaps") or ""), 15, lambda: page.text("main"))
    for place in ("#subline", "#gaps"):
        env.wait(lambda at=place: "2026-02-01 01:30:07 to 02:00:00 UTC+5:30" in page.text(at), 5, lambda at=place: page.text(at))
    for width in (320, 1280):
        page.screen(width, 900)
        env.wait(lambda: cut_texts(page) == [], 5, lambda wide=width: f"{wide} pixels wide, and cut: {cut_texts(page)}")
    assert "times\u00a0in\u00a0UTC+5:30" in page.text("#about"), page.text("#about")
    said = env.cli("status", config=bridge).out
    assert said.count("2026-01-31 20:00:07Z to 2026-01-31 20:30:00Z") == 2 and "UTC" not in said, said


def test_partitions_that_are_not_kept(env):
    """The sentence, the rule's row and `status` say which rule's, why, and what to do; it goes when that is done."""
    page = start(env)
    env.admin("create table old (device text, time timestamptz) partition by range (time); create table rest partition of old default; grant select, insert on old to bridge")
    bridge = env.bridge("""{ name = "old"; topic = "~/old/{device}"; table = "old"; columns = { time = "@received_at"; device = "{device}"; };
                             partition: { by = "time"; every = "1m"; keep = "1h"; }; }""")
    page.screen(320, 700)
    page.open(f"http://127.0.0.1:{bridge.http_port}/")
    env.wait(lambda: page.text("#headline") == "The partitions of rule old are not kept.", 15, lambda: page.text("#state"))
    remedy = "alter table old owner to this role"
    for place in ("#subline", "#rules .kept"):
        assert remedy in page.text(place), page.text(place)
    assert "1 with partitions that are not kept" in page.text("#rules-note") and overflowing(page) == [], page.text("#rules-note")
    said = env.cli("status", config=bridge)
    assert said.code == 0 and "The partitions of rule old are not kept." in said.out and said.out.count(remedy) == 2, said
    env.admin("alter table old owner to bridge; alter table rest owner to bridge")
    env.wait(lambda: page.text("#headline") in WELL and page.text("#rules .kept") is None, 90, lambda: page.text("main"))


if __name__ == "__main__":
    raise SystemExit("a module of tests/integration/run.py")
