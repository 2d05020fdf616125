"""A source with `dedupe`: what a sender repeats is stored once, and it is told so; over kill -9, among workers."""

import concurrent.futures

import pytest

from harness import curl, objects, wait_until

CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:%(port)d
%(more)s
[sink all]
plugin = file
path = %(folder)s/all.jsonl
[route all]
to = all
"""
BODY = '{"event":"ping"}'


@pytest.fixture
def serve(folder, patchbay):
    def make(more="dedupe = 1h"):
        daemon = patchbay(CONFIG % {"port": 0, "more": more, "folder": folder})
        daemon.all = folder / "all.jsonl"
        return daemon
    return make


def post(daemon, *fields, body=BODY):
    options = [word for field in fields for word in ("-H", field)]
    return curl(daemon.url("hooks"), *options, data=body)


def taken(answer, replayed=False):
    """Check an answer; its id."""
    assert answer.status == 202, answer.body
    assert answer.headers.get("idempotency-replayed") == ("true" if replayed else None)
    return answer.json()["id"]


def settled(daemon, count):
    wait_until(lambda: len(objects(daemon.all)) >= count)
    assert daemon.command("status", "--json").stdout
    return objects(daemon.all)


@pytest.mark.parametrize("first, again, other", [
    (["idempotency-key: \"a-1\""], ["Idempotency-Key: a-1"], ["idempotency-key: a-2"]),
    (["webhook-id: msg_1"], ["Webhook-Id: msg_1"], ["idempotency-key: msg_1"]),
    (["ce-id: 1", "ce-source: /a"], ["ce-id: 1", "ce-source: /a"], ["ce-id: 1", "ce-source: /b"]),
    (["idempotency-key: k", "webhook-id: 1"], ["idempotency-key: k", "webhook-id: 2"], ["webhook-id: 2"]),
])
def test_a_repeat_gets_the_first_id(serve, first, again, other):
    daemon = serve()
    known = taken(post(daemon, *first))
    assert taken(post(daemon, *again), replayed=True) == known
    assert taken(post(daemon, *other)) != known
    assert [event["id"] for event in settled(daemon, 2)][0] == known
    daemon.stop()
    assert len(objects(daemon.all)) == 2


def test_a_cloudevent_in_json(serve):
    daemon = serve("dedupe = 1h\nevent = json:type")
    event = '{"specversion":"1.0","id":"%s","source":"%s","type":"ping"}'

    def send(*parts, kind="application/cloudevents+json; charset=utf-8"):
        return post(daemon, "content-type: " + kind, body=event % parts)
    known = taken(send("1", "/a"))
    assert taken(send("1", "/a"), replayed=True) == known
    taken(send("1", "/b"))
    taken(send("1", "/a", kind="application/json"))     # its id says nothing


def test_without_a_key_nothing_repeats(serve):
    daemon = serve()
    assert taken(post(daemon)) != taken(post(daemon))


def test_off_by_default(serve):
    daemon = serve(more="")
    assert taken(post(daemon, "idempotency-key: 1")) != taken(post(daemon, "idempotency-key: 1"))
    taken(post(daemon, "idempotency-key: \"broken"))


@pytest.mark.parametrize("field", ["idempotency-key: \"broken", "idempotency-key: " + "x" * 256, "webhook-id;",
                                   "ce-id: " + "x" * 300])
def test_no_key(serve, field):
    answer = post(serve(), field)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_known_over_kills_and_restarts(serve):
    """The state lags behind the journal: a kill right after the answer."""
    daemon = serve()
    known = {}
    for turn in range(6):
        key = "idempotency-key: %d" % turn
        known[key] = taken(post(daemon, key))
        if turn % 2 == 0:
            daemon.kill()
        else:
            daemon.stop()
        daemon.start()
        for key, first in known.items():
            assert taken(post(daemon, key), replayed=True) == first
    assert {event["id"] for event in settled(daemon, 6)} == set(known.values())


def test_workers_share_what_they_know(serve):
    daemon = serve("dedupe = 1h\nworkers = 3")
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: post(daemon, "idempotency-key: %d" % (i // 12)), range(96)))
    ids = {}
    for i, answer in enumerate(answers):
        assert answer.status == 202
        ids.setdefault(i // 12, set()).add(answer.json()["id"])
    assert all(len(known) == 1 for known in ids.values())
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 8
    daemon.stop()
    assert {event["id"] for event in objects(daemon.all)} == {i for known in ids.values() for i in known}


def test_the_oldest_are_forgotten_and_counted(serve):
    daemon = serve("dedupe = 1h\ndedupe_max = 5")
    for i in range(20):
        taken(post(daemon, "idempotency-key: %d" % i))
    def metrics():
        return daemon.command("status", "--prometheus").stdout
    wait_until(lambda: 'patchbay_source_keys_forgotten_total{source="hooks"} 15' in metrics())
    taken(post(daemon, "idempotency-key: 19"), replayed=True)
    taken(post(daemon, "idempotency-key: 3"))
    assert 'patchbay_source_duplicates_total{source="hooks"} 1\n' in metrics()
    assert 'patchbay_source_accepted_total{source="hooks"} 21\n' in metrics()
    row, = [row for row in daemon.status() if row.get("kind") == "source"]
    assert row["duplicates"] == 1 and row["events"] == 21
