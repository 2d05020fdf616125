"""Very many webhook sinks, some of them dead: who works gets every event."""

import socket

import pytest

from harness import SLOW, curl, free_port

SINKS = 1000 if SLOW == 1 else 200
DEAD = SINKS // 20
A_ROUTE = 250
CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = x
"""


@pytest.fixture
def silent():
    """A port that takes connections and never a word."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(4096)
        yield s.getsockname()[1]


def config(urls):
    names = ["s%d" % i for i in range(len(urls))]
    text = CONFIG
    for name, url in zip(names, urls):
        text += "[sink %s]\nplugin = webhook\nurl = %s\ntimeout = 1h\nretry = 1h\n" % (name, url)
    for i in range(0, len(names), A_ROUTE):
        text += "[route r%d]\nto = %s\n" % (i, ", ".join(names[i:i + A_ROUTE]))
    return text


def post(daemon):
    answer = curl(daemon.url("hooks"), data=b"{}")
    assert answer.status == 202
    return answer.json()["id"]


def test_all_that_work_get_every_event(patchbay, nginx, silent):
    receiver = nginx()
    refused = free_port()
    urls = [receiver.url("/s%d" % i) for i in range(SINKS)]
    for i in range(DEAD):
        urls[20 * i] = "http://127.0.0.1:%d/" % (silent if i % 2 else refused)
    well = {"/s%d" % i for i in range(SINKS) if i % 20 or i >= 20 * DEAD}
    daemon = patchbay(config(urls))
    ids = [post(daemon) for _ in range(3)]
    got = [(request["path"], request["id"]) for request in receiver.wait(3 * len(well), 60)]
    assert sorted(got) == sorted((path, event) for path in well for event in ids)
