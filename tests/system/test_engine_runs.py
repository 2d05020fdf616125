"""The engine over its life: falling behind, restarts in the middle, kill -9, stop, refusals."""

import hashlib
import os
import signal
import time
from collections import Counter

import pytest

from engine import HTTP, SUBMIT, WRITE, engine, of, sink  # noqa: F401  (a fixture)
from harness import SLOW, curl, lines, objects, read, wait_until

COUNTER = """
[source count]
plugin = counter
log = $DIR/count.log
count = %d
%s
"""
FILE = """
[sink file]
plugin = file
path = $DIR/out.jsonl

[route file]
to = file
"""


def source_log(bay):
    """What the counter says: (word, number)."""
    return [(word, int(n)) for word, n in map(str.split, lines(bay.folder / "count.log"))]


def stored(bay):
    """The last number that the counter was told is stored."""
    return max([n for word, n in source_log(bay) if word == "stored"], default=0)


def wait_stored(bay, n, timeout=60):
    wait_until(lambda: stored(bay) >= n, timeout, "%d events are stored" % n)


def numbers(bay):
    """The events in the file, in order: (number, id)."""
    return [(event["data"]["n"], event["id"]) for event in objects(bay.folder / "out.jsonl")]


def check_counted(bay, count):
    """Each number was stored once and arrived; what came first of each is in order."""
    got = numbers(bay)
    ids = {}
    for n, event_id in got:
        assert ids.setdefault(n, event_id) == event_id, "%d was stored twice" % n
    assert list(ids) == list(range(1, count + 1))
    return Counter(n for n, _ in got)


# Falling behind

def test_a_lane_that_fell_behind_catches_up_from_the_journal(engine):
    count = 50000
    bay = engine(COUNTER % (count, "pad = 500\nturn = 64") + FILE + sink("slow", WRITE),
                 core="memory = 1MiB", start=False)
    bay.script("hang", "slow")
    bay.start()
    before, most = bay.rss(), 0

    def all_stored():
        nonlocal most
        most = max(most, bay.rss())
        return stored(bay) == count
    wait_until(all_stored, 60, "all events are stored")
    wait_until(lambda: len(lines(bay.folder / "out.jsonl")) == count, 60,
               "the other sink has all, whatever the slow one does")
    assert bay.lane("slow")["catching_up"]
    bay.script(None, "slow")

    def all_delivered():
        nonlocal most
        most = max(most, bay.rss())
        return len(lines(bay.folder / "slow.log")) > count
    wait_until(all_delivered, 60, "the slow sink has all")
    bay.wait_lane("slow", behind=0, catching_up=False)
    bay.stop()
    assert set(check_counted(bay, count).values()) == {1}
    order = [event_id for _, event_id in numbers(bay)]
    assert bay.delivered("slow") == order
    if SLOW == 1:       # 30 MiB went by
        assert most - before < 20 * 1024
    bay.store("all")


def test_a_sink_that_is_slow_holds_nobody_else_up(engine):
    bay = engine(HTTP + sink(options="max_in_flight = 1\norder = strict") +
                 sink("other", route="second"))
    first = bay.post(answer="silent ok", delay=0)
    ids = [bay.post() for _ in range(500)]
    bay.wait_delivered(ids, "other")
    assert [d["id"] for d in bay.log()] == [first]
    bay.script("ok")
    bay.wait_delivered([first, *ids], timeout=20)


def test_filters_side_by_side_keep_a_strict_lane_in_order(engine):
    bay = engine(COUNTER % (3000, "turn = 64") + FILE.replace("[route file]", """
[filter some]
plugin = probe_filter
workers = 4
mode = split
count = 2

[filter all]
plugin = probe_filter
workers = 3

[route file]
filters = some, all"""))
    path = bay.folder / "out.jsonl"
    wait_until(lambda: len(lines(path)) == 6000, 30, "all has arrived")
    bay.wait_lane("file", behind=0)
    events = objects(path)
    assert [event["data"]["part"] for event in events] == [1, 2] * 3000
    assert all(b["id"] == a["id"] + "~2" for a, b in zip(events[::2], events[1::2]))
    assert [event["id"] for event in events[::2]] == sorted(event["id"] for event in events[::2])


def test_many_stragglers_come_back_fast(engine):
    count = 6000
    bay = engine(COUNTER % (count, "turn = 64") + sink(options="retry = exponential(1s, 1s, 1000)\nbreaker_failures = 0"),
                 start=False)
    bay.script("retry")
    bay.start()
    bay.wait_lane(timeout=60, behind=0, waiting=0)
    bay.script("ok")
    # 256 a second would take 23 s.
    bay.wait_lane(timeout=12, stragglers=0)
    assert len(set(bay.delivered())) == len(bay.delivered()) == count


# Restarts

@pytest.mark.parametrize("kill", [False, True])
def test_restarts_in_the_middle_of_everything(engine, kill):
    count = 30000
    bay = engine(COUNTER % (count, "group = 3\nturn = 4") + FILE + sink("slow", WRITE, FAST_RETRY))
    for part in range(1, 6):
        wait_stored(bay, part * count // 6)
        bay.restart(kill=kill)
    wait_stored(bay, count)
    wait_until(lambda: {n for n, _ in numbers(bay)} == set(range(1, count + 1)), 60)
    bay.wait_lane("file", behind=0)
    bay.wait_lane("slow", behind=0, timeout=60)
    bay.stop()
    copies = check_counted(bay, count)
    if not kill:
        assert set(copies.values()) == {1}
    check_marks(bay)
    bay.store("all")


FAST_RETRY = "retry = exponential(20ms, 20ms, 1000)\nfail = 1"


def check_marks(bay):
    """A source's mark never goes back behind what it was told is stored."""
    reached = 0
    for word, n in source_log(bay):
        if word == "from":
            assert n >= reached, "began again at %d, though %d was stored" % (n, reached)
        elif word == "stored":
            reached = n


def test_a_clean_restart_repeats_nothing(engine):
    bay = engine(HTTP + FILE + sink(options="delay = 20ms\nshuffle = yes"))
    ids = []
    for _ in range(4):
        ids += [bay.post() for _ in range(50)]
        bay.restart()
    bay.wait_lane(behind=0, stragglers=0)
    bay.stop()
    assert sorted(bay.delivered()) == sorted(ids)
    assert [event["id"] for event in objects(bay.folder / "out.jsonl")] == ids


def test_what_was_delivered_is_saved_within_a_second(engine):
    """An idle daemon that is killed repeats nothing."""
    bay = engine(HTTP + FILE)
    ids = [bay.post() for _ in range(20)]
    wait_until(lambda: len(lines(bay.folder / "out.jsonl")) == 20)
    modified = bay.daemon.state / "state" / "data.mdb"
    seen = modified.stat().st_mtime_ns
    wait_until(lambda: modified.stat().st_mtime_ns != seen or time.time_ns() - seen > 2e9)
    bay.wait_lane("file", behind=0)
    bay.restart(kill=True)
    last = bay.post()
    wait_until(lambda: last in [event["id"] for event in objects(bay.folder / "out.jsonl")])
    assert [event["id"] for event in objects(bay.folder / "out.jsonl")] == [*ids, last]


# The end

def test_a_hung_write_is_named_and_does_not_hold_the_stop(engine):
    bay = engine(HTTP + FILE + sink(plugin=WRITE), core="shutdown_timeout = 500ms")
    bay.script("hang")
    event = bay.post()
    bay.wait_log(1)
    began = time.monotonic()
    bay.stop()
    assert 0.4 < time.monotonic() - began < 4 * SLOW
    assert "[sink out] did not finish writing within shutdown_timeout" in bay.daemon.fresh
    bay.script(None)
    bay.start()
    bay.wait_delivered([event])


def test_a_hung_submit_is_named_and_does_not_hold_the_stop(engine):
    bay = engine(HTTP + FILE + sink(), core="shutdown_timeout = 500ms")
    event = bay.post(answer="silent ok", delay=0)
    bay.wait_log(1)
    bay.stop()
    assert "[sink out] did not answer what was in flight" in bay.daemon.fresh
    bay.script("ok")
    bay.start()
    bay.wait_delivered([event])


def test_a_hung_filter_is_named_and_does_not_hold_the_stop(engine):
    bay = engine(HTTP + "\n[filter held]\nplugin = probe_filter\nmode = hold\nuntil = $DIR/go\n" +
                 sink(filters="held") + FILE, core="shutdown_timeout = 500ms")
    event = bay.post()
    wait_until(lambda: lines(bay.folder / "out.jsonl"))
    bay.stop()
    assert "[filter held] did not stop within shutdown_timeout" in bay.daemon.fresh
    (bay.folder / "go").touch()
    bay.start()
    bay.wait_delivered([event])


def test_what_is_in_flight_gets_its_time(engine):
    bay = engine(HTTP + sink(options="delay = 300ms"))
    ids = [bay.post() for _ in range(5)]
    bay.wait_log(5)
    bay.stop()
    bay.start()
    last = bay.post()
    bay.wait_delivered([last])
    assert [d["id"] for d in bay.log()] == [*ids, last]


def test_a_second_signal_ends_at_once(engine):
    bay = engine(HTTP + sink(plugin=WRITE), core="shutdown_timeout = 1h")
    bay.script("hang")
    event = bay.post()
    bay.wait_log(1)
    bay.daemon.send(signal.SIGTERM)
    bay.daemon.wait_log(r"stopping \(SIGTERM\)")
    wait_until(lambda: not caught(bay.daemon.pid, signal.SIGTERM))
    bay.daemon.send(signal.SIGTERM)
    assert bay.daemon.ended(5) == -signal.SIGTERM
    bay.script(None)
    bay.start()
    bay.wait_delivered([event])


def caught(pid, which):
    """Does the process's main thread block the signal?"""
    for line in read("/proc/%d/status" % pid).decode().splitlines():
        if line.startswith("SigBlk:"):
            return int(line.split()[1], 16) >> (which - 1) & 1
    return False


# Refusals

def contents(folder):
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_second_daemon_is_refused(engine, patchbay):
    bay = engine(HTTP + FILE)
    event = bay.post()
    wait_until(lambda: len(lines(bay.folder / "out.jsonl")) == 1)
    bay.wait_lane("file", behind=0)
    second = patchbay(bay.daemon.config.read_text(), start=False, name="second")
    second.start(wait=False)
    assert second.ended() == 1
    assert "process %d" % bay.daemon.pid in second.log
    assert bay.post() != event
    bay.wait_lane("file", behind=0)


@pytest.mark.parametrize("wrong", [
    "[sink bad]\nplugin = file\n",
    "[sink bad]\nplugin = fiel\npath = /tmp/x\n",
    "[route bad]\nto = nobody\n",
    "[nonsense]\n",
])
def test_a_wrong_configuration_leaves_the_store_alone(engine, wrong):
    config = HTTP + FILE + sink(options="retry = 1h")
    bay = engine(config, core="shutdown_timeout = 300ms")
    bay.post(answer="retry")
    bay.wait_lane(stragglers=1)
    bay.stop()
    before = contents(bay.daemon.state)
    bay.start(config + wrong, wait=False)
    assert bay.daemon.ended() == 1
    assert contents(bay.daemon.state) == before
    bay.start(config)
    bay.wait_lane(stragglers=1)
