"""The null source: numbered events, each of them once in the store, whatever ends the daemon."""

from harness import objects, wait_until

CONFIG = """
[source numbers]
plugin = null
rate = 0
batch = 50
count = %(count)d
[sink out]
plugin = file
path = %(out)s
sync = batch
[route all]
to = out
"""


def test_numbers_go_on_over_kills(folder, patchbay):
    daemon = patchbay(CONFIG % {"count": 20000, "out": folder / "out"})
    for least in (1, 4000, 8000):
        wait_until(lambda: (folder / "out").exists() and
                   (folder / "out").read_bytes().count(b"\n") >= least, what="%d lines" % least, timeout=30)
        daemon.kill()
        daemon.start()
    wait_until(lambda: b'"n":              20000' in (folder / "out").read_bytes(), what="the last", timeout=60)
    got = {}
    for event in objects(folder / "out"):
        got.setdefault(event["data"]["n"], set()).add(event["id"])
    assert sorted(got) == list(range(1, 20001))         # none is lost
    assert all(len(ids) == 1 for ids in got.values())   # and what came twice is the same event
