"""The timer with the real daemon: each tick once in the store, whatever ends the daemon."""

import re

from harness import objects, wait_until

CONFIG = """
[source clock]
plugin = timer
every = 100ms
missed = all
missed_limit = 10000
[sink out]
plugin = file
path = %s
[route all]
to = out
"""
ID = re.compile(r"clock@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d00)?Z")


def events(path):
    """Id to time in tenths of a second, and that what came twice is the same event."""
    found = {}
    for event in objects(path):
        assert ID.fullmatch(event["id"]) and event["data"]["time"] == event["time"]
        assert found.setdefault(event["id"], event["time"]) == event["time"]
    return sorted(found.values())


def tenths(time):
    hours, minutes, seconds = re.search(r"T(\d+):(\d+):([\d.]+)Z", time).groups()
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 10)


def test_ticks_go_on_over_kills(folder, patchbay):
    out = folder / "out"
    daemon = patchbay(CONFIG % out)
    for least in (3, 8, 12):
        wait_until(lambda: out.exists() and len(events(out)) >= least, what="%d ticks" % least)
        daemon.kill()
        daemon.start()
    wait_until(lambda: len(events(out)) >= 20, what="20 ticks")
    daemon.stop()
    times = [tenths(time) for time in events(out)]
    assert [(b - a) % 864000 for a, b in zip(times, times[1:])] == [1] * (len(times) - 1)    # none is lost, none is new


def test_what_can_never_be_is_refused_by_check(folder, patchbay):
    text = (CONFIG % (folder / "out")).replace("every = 100ms", "cron = 0 7 31 feb *")
    done = patchbay(text, start=False).command("check")
    assert done.returncode == 1
    assert "[source clock] cron: there is no such day" in done.stderr
