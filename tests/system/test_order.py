"""order_by, as the guide shows it: each order's events arrive one after another, whatever fails."""

import json
import re
import threading
from pathlib import Path

from harness import curl, wait_until

GUIDE = (Path(__file__).parents[2] / "doc/guide/sinks.md").read_text()
SHOWN = next(block for block in re.findall(r"```ini\n(.*?)```", GUIDE, re.S) if "order_by" in block)
CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = x
%s
[route all]
to = orders
"""
ORDERS, EACH = 12, 15


class Flaky:
    """Refuses the first attempt of each third event, and all while it is `out`."""

    def __init__(self):
        self.lock, self.out, self.tried, self.taken = threading.Lock(), False, set(), []

    def __call__(self, request):
        data = json.loads(request.body)
        event = (data.get("order"), data["n"])
        with self.lock:
            first = event not in self.tried
            self.tried.add(event)
            if self.out or (first and data["n"] % 3 == 0):
                return 503
            if event not in self.taken:
                self.taken.append(event)
            return 204

    def of(self, order):
        return [n for o, n in self.taken if o == order]


def daemon_for(patchbay, there):
    text = SHOWN.replace("https://orders.example.com/in", there.url())
    assert there.url() in text
    return patchbay(CONFIG % (text + "retry = 300ms, 300ms, 300ms, 300ms, 300ms, 300ms\nbreaker_failures = 0\n"))


def post(daemon, order, n):
    body = {"n": n} if order is None else {"order": order, "n": n}
    assert curl(daemon.url("hooks"), data=json.dumps(body).encode()).status == 202


def test_each_order_arrives_in_order(patchbay, receiver):
    flaky = Flaky()
    daemon = daemon_for(patchbay, receiver(flaky))
    for n in range(EACH):
        for order in range(ORDERS):
            post(daemon, order, n)
        post(daemon, None, n)
        if n == EACH // 2:
            daemon.kill()
            daemon.start()
    wait_until(lambda: len(flaky.taken) == (ORDERS + 1) * EACH, 60, "all events")
    for order in range(ORDERS):
        assert flaky.of(order) == list(range(EACH))
    assert sorted(flaky.of(None)) == list(range(EACH))


def test_one_order_that_fails_holds_up_no_other(patchbay, receiver):
    flaky = Flaky()
    there = receiver(lambda request: 503 if json.loads(request.body)["order"] == "bad" else flaky(request))
    daemon = daemon_for(patchbay, there)
    for n in range(20):
        post(daemon, "bad", n)
        post(daemon, "good", n)
    wait_until(lambda: len(flaky.taken) == 20, 30, "the good order's events")
    assert flaky.of("good") == list(range(20))
    bad = [r.json()["n"] for r in there.requests if r.json()["order"] == "bad"]
    assert bad == sorted(bad) and bad[0] == 0


def test_what_does_not_go_together_is_refused(patchbay, receiver):
    daemon = patchbay(CONFIG % (SHOWN + "order = strict\n"), start=False).start(wait=False)
    assert daemon.ended() == 1
    assert "[sink orders] order_by: does not go with order = strict" in daemon.log
