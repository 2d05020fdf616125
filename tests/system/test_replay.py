"""What is delivered is kept (`keep`), and `patchbay replay` delivers it again."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from harness import SLOW, curl, objects, wait_until

CONFIG = """
[patchbay]
state = %(folder)s/state
keep = %(keep)s
[source hooks]
plugin = http
listen = 127.0.0.1:0
[sink team]
plugin = webhook
url = %(url)s
[sink all]
plugin = file
path = %(folder)s/all.jsonl
[route all]
to = all
[route runs]
events = run_*
to = team
"""


@pytest.fixture
def serve(folder, patchbay, receiver):
    def make(keep="1h"):
        there = receiver()
        daemon = patchbay(CONFIG % {"keep": keep, "url": there.url(), "folder": folder})
        daemon.there, daemon.all = there, folder / "all.jsonl"
        return daemon
    return make


def post(daemon, kind):
    answer = curl(daemon.url("hooks"), data='{"event":"%s"}' % kind)
    assert answer.status == 202
    return answer.json()["id"]


def replay(daemon, *args, expect=0):
    done = daemon.command("replay", *args)
    assert done.returncode == expect, done.stderr
    return done


def ids(daemon):
    return [request.headers["webhook-id"] for request in daemon.there.requests]


def test_delivered_again_with_their_ids(serve):
    daemon = serve()
    sent = [post(daemon, kind) for kind in ("run_started", "other", "run_ended")]
    daemon.there.wait(2)
    wait_until(lambda: len(objects(daemon.all)) == 3)
    runs = [sent[0], sent[2]]
    assert sorted(ids(daemon)) == sorted(runs)
    daemon.stop()
    daemon.start()
    done = replay(daemon, "--to", "team", "--since", "1h", "--dry-run")
    assert done.stdout == "2 deliveries would be made again; nothing was changed\n"
    assert "goes back to 20" in done.stderr
    assert replay(daemon, "--to", "team", "--since", "1h").stdout == "2 deliveries will be made again\n"
    daemon.there.wait(4)
    assert sorted(ids(daemon)[2:]) == sorted(runs)
    told = json.loads(replay(daemon, "--to", "all", "--since", "1h", "--type", "run_e*", "--json").stdout)
    assert told["found"] == told["replayed"] == 1 and not told["dry_run"]
    wait_until(lambda: len(objects(daemon.all)) == 4)
    assert objects(daemon.all)[3]["id"] == sent[2]
    replay(daemon, "--to", "team", "--id", sent[0])
    daemon.there.wait(5)
    assert ids(daemon)[4] == sent[0]
    assert 'patchbay_lane_replayed_total{route="runs",sink="team"} 3\n' in daemon.command(
        "status", "--prometheus").stdout


def test_many(serve):
    """More than a page, which is 1024."""
    daemon = serve("1GiB")
    url = urlsplit(daemon.url("hooks"))
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20 * SLOW)
    for _ in range(1200):
        connection.request("POST", url.path, b'{"event":"other"}', {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
    connection.close()
    wait_until(lambda: len(objects(daemon.all)) == 1200)
    told = json.loads(replay(daemon, "--to", "all", "--since", "1h", "--json").stdout)
    assert told["replayed"] == 1200
    wait_until(lambda: len(objects(daemon.all)) == 2400)
    assert len({event["id"] for event in objects(daemon.all)}) == 1200


@pytest.mark.parametrize("args, status, words", [
    ([], 2, "needs --to SINK"),
    (["--to", "team"], 2, "needs --since TIME or --id ID"),
    (["--to", "team", "--since", "yesterday"], 2, "--since"),
    (["--to", "team", "--since", "1h", "more"], 2, "takes options only"),
    (["--to", "team", "--since", "1h", "--until", "2h"], 2, "--until is not after --since"),
    (["--to", "nobody", "--since", "1h"], 1, "there is no sink nobody"),
    (["--to", "team", "--route", "all", "--since", "1h"], 1, "no route all leads to sink team"),
    (["--to", "team", "--id", "none"], 1, "no event of that id is kept"),
])
def test_what_cannot_be(serve, args, status, words):
    done = replay(serve(), *args, expect=status)
    assert words in done.stderr


def test_keep_is_checked(serve, patchbay, folder):
    daemon = patchbay(CONFIG % {"keep": "soon", "url": "http://127.0.0.1:1/", "folder": folder}, start=False)
    done = daemon.command("check")
    assert done.returncode == 1 and "neither a time nor a size" in done.stderr
    daemon.configure(CONFIG % {"keep": "9GiB", "url": "http://127.0.0.1:1/", "folder": folder})
    done = daemon.command("check")
    assert done.returncode == 0 and "more than two fifths of max_size" in done.stderr
