"""Extensions of PostgreSQL that Debian has: PostGIS. TimescaleDB and Citus, which Debian has not, are tried by tests/extensions/.

SPDX-License-Identifier: MIT
"""

from env import Skip


def extension(env, name):
    """Makes it in the test's database; skips the test where the server has none."""
    if not env.admin("select name from pg_available_extensions where name = %s", name):
        raise Skip(f"the server has no extension {name}")
    env.admin(f"create extension {name}")


def test_postgis(env):
    """GeoJSON and EWKT go straight into geometry; what PostGIS refuses is told with the column and the hint."""
    extension(env, "postgis")
    env.sql("create table place (id int generated always as identity, name text, pos geometry(Point, 4326), area geography)")
    bridge = env.bridge("""{ name = "place"; topic = "~/p/{name}"; table = "place";
                             columns = { name = "{name}"; pos = "$.pos"; area = "$.area"; }; }""")
    env.publish([("~/p/json", '{"pos": {"type": "Point", "coordinates": [9.99, 53.55]}}'),
                 ("~/p/text", '{"pos": "SRID=4326;POINT(9.99 53.55)", "area": "POINT(9.99 53.55)"}'),
                 ("~/p/bad", '{"area": {"type": "Point", "coordinates": [9.99, 53.55]}}'),
                 ("~/p/last", '{"pos": "POINT(0 0)"}')])
    env.wait(lambda: env.one("select count(*) from place") == 3, 20, lambda: f"{env.dead_letters()}")
    assert env.sql("select name, st_x(pos)::text, st_srid(pos) from place where name <> 'last' order by id") == [
        ("json", "9.99", 4326), ("text", "9.99", 4326)]
    (_, topic, reason, _, parked), = env.dead_letters()
    assert topic == "p/bad" and not parked and 'column "area": parse error - invalid geometry' in reason and "hint: " in reason, reason
    bridge.check_books()
