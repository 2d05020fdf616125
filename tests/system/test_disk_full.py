"""The disk is full, or the limit is reached: nothing accepted is lost, and work goes on when space returns."""

import os
import re
import subprocess

import pytest

from engine import HTTP, SUBMIT, WRITE, engine, of, sink  # noqa: F401  (a fixture)
from harness import lines, objects, wait_until
from test_engine_runs import COUNTER, FILE, check_counted, source_log, stored

PAD = "x" * 50000
LIMIT = "max_size = 4MiB\nsegment_size = 1MiB"


@pytest.fixture
def disk_of(folder):
    """disk_of(SIZE): the state folder, on a file system of that size."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")

    def mount(size):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0700" % size, "tmpfs", state],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            pytest.skip("cannot mount a tmpfs: %s" % mounted.stderr.strip())
        return state

    yield mount
    if os.path.ismount(state):
        subprocess.run(["umount", "-l", state], check=True)


@pytest.fixture
def small_disk(disk_of):
    return disk_of("24m")


def fill(state):
    """Take what is left of the disk; the file that has it."""
    filler = state / "filler"
    with filler.open("wb", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    f.write(b"x" * size)
            except OSError:
                pass
    return filler


def post_until_full(bay, pad=PAD):
    """Events until one is refused; the ids of those accepted."""
    ids = []
    for _ in range(2000):
        status, answer, headers = bay.ask({"event": "x", "pad": pad})
        if status == 503:
            assert int(headers["retry-after"]) > 0
            assert headers["content-type"] == "application/problem+json"
            return ids
        assert status == 202
        ids.append(answer["id"])
    raise AssertionError("never full")


def accepted_again(bay, **fields):
    status, answer, _ = bay.ask({"event": "x", **fields})
    return answer["id"] if status == 202 else None


def check_full_and_back(bay, why):
    """The sink hangs until nothing more fits, then goes on."""
    ids = post_until_full(bay)
    assert len(ids) > 20
    refused = 0
    while refused < 5:     # in a row: what is being compacted may give back a little
        status, answer, _ = bay.ask({"event": "x", "pad": PAD})
        assert status in (202, 503) and len(ids) < 2000
        refused = refused + 1 if status == 503 else 0
        if status == 202:
            ids.append(answer["id"])
    bay.daemon.wait_log(re.escape("the store is full: %s; senders are told to come back" % why))
    bay.script(None)
    ids.append(wait_until(lambda: accepted_again(bay), what="room again"))
    bay.daemon.wait_log("the store has room again")
    bay.wait_delivered(ids)
    assert bay.delivered()[:len(ids) - 1] == ids[:-1]
    assert len(set(bay.delivered())) == len(bay.delivered())


def hung(engine, core):
    """A sink that hangs and may have all of the store."""
    bay = engine(HTTP + sink(plugin=WRITE, options="max_backlog = 1TiB"), core, start=False)
    bay.script("hang")
    bay.start()
    return bay


def test_a_full_disk_refuses_and_recovers(engine, small_disk):
    bay = hung(engine, "segment_size = 1MiB")
    check_full_and_back(bay, "no space on the disk of %s/journal" % small_disk)
    bay.stop()
    bay.store("all")


def test_a_full_disk_recovers_when_all_is_delivered(engine, disk_of):
    """All of the journal is in the segment that is being written: it must be able to go."""
    disk_of("12m")
    bay = engine(HTTP + sink(plugin=WRITE))
    pad = "x" * 900000
    for _ in range(3):
        bay.script("hang")
        ids = post_until_full(bay, pad)
        assert len(ids) > 3
        bay.script(None)
        bay.wait_delivered(ids)
        ids.append(wait_until(lambda: accepted_again(bay, pad=pad), what="room again"))
        bay.wait_delivered(ids)
    bay.stop()
    assert "no space to save the state" not in bay.daemon.log
    bay.store("all")


def test_max_size_refuses_and_recovers(engine):
    bay = hung(engine, LIMIT)
    check_full_and_back(bay, "max_size, 4194304 bytes, is reached")
    used = sum(path.stat().st_blocks * 512 for path in bay.daemon.state.rglob("*") if path.is_file())
    assert used < 14 << 20      # the journal's 4 MiB, the state's, its reserve
    bay.stop()
    bay.store("all")


def test_what_was_accepted_survives_a_kill_on_a_full_disk(engine, small_disk):
    bay = hung(engine, "segment_size = 1MiB")
    ids = [bay.post(pad=PAD) for _ in range(20)]
    filler = fill(small_disk)
    ids += post_until_full(bay)
    bay.daemon.kill()
    bay.script(None)
    bay.start()
    bay.wait_delivered(ids)
    filler.unlink()
    ids.append(wait_until(lambda: accepted_again(bay), what="room again"))
    bay.wait_delivered(ids)
    bay.wait_lane(behind=0)
    bay.stop()
    assert set(bay.delivered()) == set(ids)
    bay.store("all")


def test_a_start_on_a_full_disk(engine, small_disk):
    """There is no room to save what the start found; events are accepted when there is."""
    other = sink("other", WRITE, route="other")
    bay = engine(HTTP + other + sink(options="retry = 1h, 1h\nbreaker_failures = 0"))
    bay.script("retry")
    ids = [bay.post(pad="x" * 100) for _ in range(2000)]
    bay.wait_lane(stragglers=len(ids))
    bay.daemon.kill()
    (small_disk / "state" / "reserve").unlink(missing_ok=True)
    filler = fill(small_disk)
    bay.start(HTTP + other)
    bay.daemon.wait_log("no space to save the state")
    assert bay.ask({"event": "x"})[0] == 503
    filler.unlink()
    ids.append(wait_until(lambda: accepted_again(bay), what="room again"))
    bay.wait_delivered(ids, "other")
    bay.daemon.wait_log("has left the configuration: 2000 deliveries")
    bay.stop()
    assert bay.daemon.fresh.count("no space to save the state") == 1
    rows = of(bay.store(), "dead")
    assert len(rows) == len(ids) - 1


def test_failures_on_a_full_disk_are_not_lost(engine, small_disk):
    bay = engine(HTTP + sink(plugin=SUBMIT, options="retry = exponential(200ms, 200ms, 1000)\nbreaker_failures = 0"),
                 core="segment_size = 1MiB")
    bay.script("silent")
    ids = [bay.post(pad=PAD, delay=0) for _ in range(30)]
    filler = fill(small_disk)
    ids += post_until_full(bay)
    bay.script("retry")
    bay.wait_log(len(ids) * 2)
    bay.script("ok")
    bay.wait_delivered(ids)
    filler.unlink()
    ids.append(wait_until(lambda: accepted_again(bay), what="room again"))
    bay.wait_delivered(ids)
    bay.wait_lane(behind=0, stragglers=0)
    bay.stop()
    assert len(bay.delivered()) == len(ids)
    bay.store("all")


def test_a_source_that_cannot_refuse_goes_on_when_all_is_delivered(engine, disk_of):
    disk_of("12m")
    bay = engine(COUNTER % (60, "pad = 900000\nturn = 1") + FILE)
    wait_until(lambda: len(lines(bay.folder / "out.jsonl")) == 60, 60, "all has arrived")
    bay.stop()
    assert set(check_counted(bay, 60).values()) == {1}
    assert "the store is full: no space on the disk of" in bay.daemon.log
    bay.store("all")


@pytest.fixture
def full_counter(engine):
    """A source that cannot refuse, waiting since the store is full."""
    both = FILE.replace("plugin = file\n", "plugin = file\nmax_backlog = 1TiB\n") + sink("slow", WRITE, "max_backlog = 1TiB")
    assert both.count("1TiB") == 2
    bay = engine(COUNTER % (20000, "pad = 1000\nturn = 8") + both, LIMIT, start=False)
    bay.script("hang", "slow")
    bay.start()
    bay.daemon.wait_log("the store is full")
    return bay


def test_a_source_that_cannot_refuse_waits(full_counter):
    bay = full_counter
    wait_until(lambda: len(lines(bay.folder / "out.jsonl")) == stored(bay))
    assert 0 < stored(bay) < 20000 and not [n for word, n in source_log(bay) if word == "failed"]
    bay.script(None, "slow")
    wait_until(lambda: len(lines(bay.folder / "out.jsonl")) == 20000, 60, "all has arrived")
    wait_until(lambda: len(bay.delivered("slow")) == 20000, 60, "the slow sink has all")
    bay.stop()
    assert set(check_counted(bay, 20000).values()) == {1}
    assert bay.delivered("slow") == [event["id"] for event in objects(bay.folder / "out.jsonl")]
    bay.store("all")


def test_a_source_that_waits_for_room_can_be_stopped(full_counter):
    bay = full_counter
    bay.script(None, "slow")
    bay.script("down", "slow")
    bay.stop()
    assert "did not stop within" not in bay.daemon.fresh
    bay.script(None, "slow")
    bay.start()
    wait_until(lambda: len(bay.delivered("slow")) >= 20000, 60, "all arrives after a start")
    bay.stop()
    check_counted(bay, 20000)
