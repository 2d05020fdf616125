"""A sink that is down keeps to its share of the disk: senders and the other sinks do not notice."""

import itertools

from engine import HTTP, engine, of  # noqa: F401  (a fixture)
from harness import free_port, lines, objects, wait_until

MAX = 8 << 20
CORE = "max_size = 8MiB\nsegment_size = 1MiB\nmax_event = 1MiB"
PAD = "x" * 10000
SINKS = HTTP + """
[sink file]
plugin = file
path = $DIR/out.jsonl

[sink team]
plugin = webhook
url = http://127.0.0.1:%d/in
retry = exponential(1s, 1s, 1000)
breaker_max_pause = 1s
%s

[route all]
to = file, team
"""


def used(bay):
    """Bytes of journal and state, as `max_size` counts them."""
    daemon = bay.row(type="daemon")
    return daemon["journal"]["bytes"] + daemon["state_bytes"]


def test_a_sink_that_is_down_harms_no_other(engine, receiver):
    port = free_port()
    bay = engine(SINKS % (port, "max_backlog = 2MiB\ndead_max_size = 1MiB"), CORE)
    ids, most, out = [], 0, bay.folder / "out.jsonl"
    while len(ids) * len(PAD) < 5 * MAX:
        ids.append(bay.post(pad=PAD))
        if len(ids) % 100 == 0:
            most = max(most, used(bay))
            # Sanitizers slow the file down so much that it, too, would have more waiting than it may.
            wait_until(lambda: out.stat().st_size >= (len(ids) - 100) * len(PAD), 60, "the file keeps up")
    assert most < MAX
    wait_until(lambda: len(lines(out)) == len(ids), 60, "the file has all")
    assert [event["id"] for event in objects(out)] == ids
    assert "the store is full" not in bay.daemon.log
    bay.daemon.wait_log(r"\[sink team\] \d+ deliveries are dead \(overflow\)")
    team = receiver(port=port)
    bay.wait_lane("team", timeout=60, behind=0, stragglers=0)
    lane = bay.lane("team")
    got = [request.headers["webhook-id"] for request in team.requests]
    assert set(got) <= set(ids) and len(set(got)) == lane["delivered"]
    assert ids[-1] in got and 0 < len(set(got)) * len(PAD) < 2 << 20
    bay.stop()
    letters = of(bay.store("all"), "dead")
    assert 0 < len(letters) == lane["dead"]


def test_a_sink_that_blocks_says_so(engine, receiver):
    port = free_port()
    bay = engine(SINKS % (port, "max_backlog = 1MiB\noverflow = block"), CORE)
    ids = []
    for _ in itertools.repeat(None, 1000):
        status, answer, headers = bay.ask({"event": "x", "pad": PAD})
        if status != 202:
            break
        ids.append(answer["id"])
    assert status == 503 and int(headers["retry-after"]) > 0
    assert answer["detail"] == "sink team has reached max_backlog"
    assert len(ids) * len(PAD) < 3 << 20
    bay.daemon.wait_log(r"\[sink team\] has reached max_backlog")
    bay.restart()
    wait_until(lambda: bay.ask({"event": "x"})[0] == 503, what="it blocks after a restart too")
    team = receiver(port=port)
    wait_until(lambda: bay.ask({"event": "x"})[0] == 202, 60, "it is below again")
    bay.daemon.wait_log(r"\[sink team\] is below max_backlog again")
    bay.wait_lane("team", timeout=60, behind=0, stragglers=0, dead=0)
    assert set(ids) <= {request.headers["webhook-id"] for request in team.requests}
    bay.stop()
    bay.store("all")


DOWN = HTTP + """
[sink file]
plugin = file
path = $DIR/out.jsonl

%s
[route all]
to = file
"""
ONE = """
[sink down%d]
plugin = webhook
url = http://127.0.0.1:%d/in
breaker_max_pause = 1s

[route down%d]
events = %s*
to = down%d
"""


def test_several_that_are_down_do_not_fill_the_store(engine, receiver):
    ports = [free_port() for _ in "abc"]
    bay = engine(DOWN % "".join(ONE % (i, port, i, "abc"[i], i) for i, port in enumerate(ports)), CORE)
    pad, ids, most, out = PAD * 8, [], 0, bay.folder / "out.jsonl"

    def post(event):
        """Faster than such a small store can make room, at times."""
        status, answer, _ = bay.ask({"event": event, "pad": pad})
        if status == 202:
            ids.append(answer["id"])
        return status == 202

    while len(ids) * len(pad) < 3 * MAX:
        wait_until(lambda: post("abc"[len(ids) % 3]), 20, "there is room again")
        # A sink that is up and slower than the sender, as with sanitizers, is one of those that fill the store.
        wait_until(lambda: out.stat().st_size >= (len(ids) - 4) * len(pad), 60, "the file keeps up")
        if len(ids) % 30 == 0:
            most = max(most, used(bay))
    assert most < MAX
    wait_until(lambda: len(lines(out)) == len(ids), 60, "the file has all")
    assert [event["id"] for event in objects(out)] == ids
    assert bay.daemon.log.count("the store fills with what waits for several sinks") == 1
    assert MAX // 64 < bay.row(type="daemon")["sink_share"] < MAX // 4
    team = receiver(port=ports[1])
    bay.wait_lane("down1", timeout=60, behind=0, stragglers=0)
    got = {request.headers["webhook-id"] for request in team.requests}
    assert got <= set(ids[1::3]) and ids[1::3][-1] in got
    bay.stop()
    bay.store("all")
