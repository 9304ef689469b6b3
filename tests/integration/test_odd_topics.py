"""Topics that no broker should deliver: the bridge goes on, stores what can be stored, and says of the rest what it was.

SPDX-License-Identifier: MIT
"""

from env import quick

ODD = (b"t/nul\0/x", b"t/+/x", b"t/#", b"t/\xff\xfe", b"", b"/", b"t/" + b"l" * 65533, b"$SYS/x", b"t/a\nb\x1b[31m", b"t/'; drop table got; --")


@quick
def test_odd_topics(env):
    """Each as QoS 1 and 0, with both versions; the good message behind each arrives, and the log has no control characters."""
    for version in ("5", "3.1.1"):
        env.sql("drop table if exists got; create table got (id int generated always as identity, topic text, v text)")
        broker = env.scripted_broker()
        bridge = env.bridge('{ name = "all"; topic = "#"; format = "text"; table = "got"; columns = { topic = "@topic"; v = "$"; }; }',
                            broker={"url": broker.url, "protocol": version, "status_topic": ""}, ready=False)
        session = broker.accept()
        broker.session_present = True
        session.wait("SUBSCRIBE")
        for number, topic in enumerate(ODD, 1):
            for qos in (0, 1):
                if not session.open:  # the client library may refuse the packet and end the connection
                    session = broker.accept()
                session.send(topic, f"odd {number}", qos=qos, packet_id=number)
            good = f"good {number}"
            env.wait(lambda s=session, n=number: not s.open or s.has("PUBACK", n), 10, f"no answer to {topic[:20]}")
            if not session.open:
                session = broker.accept()
            session.send("good", good, packet_id=1000 + number)
            env.wait(lambda g=good: env.one("select count(*) from got where v = %s", g) == 1, 15, f"nothing comes after {topic[:20]!r}")
        stored = env.one("select count(*) from got where v like 'odd%%'") + env.one(
            "select count(*) from mqtt2pg.dead_letter")
        assert stored >= 2 * 5, stored  # those that are topics
        assert env.one("select count(*) from got where topic like '%%drop table%%'") == 2
        assert not set(bridge.log()) & set("\0\x1b")
        assert env.cli("dead-letters", "list", config=bridge).code == 0
        bridge.check_books()
        bridge.stop()
        env.sql("delete from mqtt2pg.dead_letter")
