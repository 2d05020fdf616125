"""`patchbay trace ID`: where an event is, and what became of it."""

import json
import os
import re

from engine import HTTP, SUBMIT, engine, sink  # noqa: F401 (a fixture)
from harness import Receiver, wait_until


def trace(bay, event, expect=0):
    done = bay.command("trace", event)
    assert done.returncode == expect, (done.stdout, done.stderr)
    return done.stdout if expect == 0 else done.stderr


def traced(bay, event):
    done = bay.command("trace", "--json", event)
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer["id"] == event
    return answer


def lane(bay, event):
    [found] = traced(bay, event)["events"]
    [only] = found["lanes"]
    return only


def state(bay, event):
    return lane(bay, event)["now"]["state"]


def steps(bay, event):
    return [step.get("answer", step["what"]) for step in lane(bay, event)["history"]]


def test_through_a_webhook_that_fails_and_then_works(folder, patchbay):
    answers = [503, 200]
    receiver = Receiver(lambda request: answers.pop(0))
    daemon = patchbay("""
[patchbay]
state = %s/state
[source hooks]
plugin = http
listen = 127.0.0.1:0
[source builds]
plugin = http
listen = 127.0.0.1:0
[sink team]
plugin = webhook
url = %s
retry = 100ms, 1h
[route runs]
from = hooks
events = report_run_*
to = team
[route others]
from = builds
to = team
[route failures]
events = *_failed
to = team
""" % (folder, receiver.url()))
    from harness import curl
    sent = curl(daemon.url("hooks"), "-H", "content-type: application/json",
                data='{"event": "report_run_started"}')
    event = sent.json()["id"]
    receiver.wait(2)
    wait_until(lambda: "now: delivered" in trace(daemon, event))
    told = trace(daemon, event)
    receiver.close()
    when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    expected = [
        re.escape(event),
        "  type      report_run_started",
        r"  accepted  %s \(\d+s ago\) from source hooks, 31 B" % when,
        "  sender    127.0.0.1",
        "  stored    in the journal, number 1",
        "  route     runs: matches",
        "  route     others: no, `from` does not name its source, hooks",
        r"  route     failures: no, nothing in `events` matches its type, report_run_started",
        "  runs -> team",
        r"    %s  attempt 1: retry, took \d+ \S+: HTTP 503" % when,
        r"    %s  attempt 2: ok, took \d+ \S+: HTTP 200" % when,
        "    now: delivered",
    ]
    assert re.fullmatch("\n".join(expected) + "\n", told), told


def test_wherever_it_is(engine):
    bay = engine(HTTP + sink(options="retry = 1h\n") + "events = y, z\n")
    unrouted, waits = bay.post(event="x"), bay.post(event="y", answer="retry")
    wait_until(lambda: state(bay, waits) == "waiting")
    now = lane(bay, waits)["now"]
    assert (now["attempts"], now["attempts_max"], now["last_error"]) == (1, 2, "told to say retry")
    assert "waits for attempt 2 of 2, due at" in trace(bay, waits)
    assert "no route wants it" in trace(bay, unrouted)
    dies = bay.post(event="y", answer="reject")
    wait_until(lambda: state(bay, dies) == "dead")
    assert steps(bay, dies) == ["reject", "dead"]
    assert "dead (rejected) since" in trace(bay, dies) and "told to say reject" in trace(bay, dies)
    bay.script("hang")
    flies = bay.post(event="z")
    wait_until(lambda: state(bay, flies) == "in flight")
    bay.script("ok")
    wait_until(lambda: state(bay, flies) == "delivered")
    bay.command("sink", "disable", "out")
    stays = bay.post(event="z")
    wait_until(lambda: "the sink is disabled" in trace(bay, stays))


def test_after_a_restart_and_after_a_kill(engine):
    config = HTTP + sink(options="retry = none")
    bay = engine(config)
    delivered, dead = bay.post(), bay.post(answer="reject")
    bay.wait_lane(dead=1, delivered=1)
    bay.restart()
    assert steps(bay, delivered) == ["ok"] and state(bay, delivered) == "delivered"
    assert steps(bay, dead) == ["reject", "dead"] and state(bay, dead) == "dead"
    assert "routes are as configured now" in trace(bay, delivered)
    bay.script("hang")
    flies = bay.post()
    wait_until(lambda: state(bay, flies) == "in flight")
    last = bay.post()
    bay.restart(kill=True)
    bay.script("ok")
    wait_until(lambda: state(bay, flies) == state(bay, last) == "delivered")
    bay.command("dead", "replay", dead)
    wait_until(lambda: state(bay, dead) == "delivered")
    assert steps(bay, dead) == ["reject", "dead", "replayed", "ok"]


def test_unknown_is_said_and_so_is_how_far_it_looked(engine):
    bay = engine(HTTP + sink())
    known = bay.post()
    wait_until(lambda: state(bay, known) == "delivered")
    told = trace(bay, "nobody", expect=1)
    assert "no event nobody is known" in told and re.search(r"the history, which begins at \d{4}-", told)
    assert bay.command("trace").returncode == 2
    assert bay.command("trace", "a", "b").returncode == 2
    for path in (bay.folder / "state" / "history").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        path.unlink()
    wait_until(lambda: state(bay, known) == "settled", what="of the history nothing is left, but the journal has it")
    after = bay.post()
    wait_until(lambda: state(bay, after) == "delivered")


def test_without_a_history_what_is_stored_is_found(engine):
    bay = engine(HTTP + sink(options="retry = none"), core="history = 0")
    dead, delivered = bay.post(answer="reject"), bay.post()
    bay.wait_lane(dead=1, delivered=1)
    wait_until(lambda: bay.command("dead", "list", "--json").stdout)
    assert state(bay, dead) == "dead" and steps(bay, dead) == []
    assert state(bay, delivered) == "settled" and steps(bay, delivered) == []
    assert "no history is kept" in trace(bay, "nobody", expect=1)
    assert not (bay.folder / "state" / "history").exists()


def test_who_sent_it(folder, patchbay):
    from harness import curl
    daemon = patchbay("""
[patchbay]
state = %(folder)s/state
[source hooks]
plugin = http
listen = 127.0.0.1:0, unix:%(folder)s/hooks.sock
[source apart]
plugin = http
listen = 127.0.0.1:0
isolate = process
[sink out]
plugin = null
[route all]
to = out
""" % {"folder": folder})
    data = '{"event": "a"}'
    by_socket = curl("http://x/", "--unix-socket", str(folder / "hooks.sock"), data=data).json()["id"]
    by_address = curl(daemon.url("hooks"), "-H", "X-Forwarded-For: 203.0.113.9", data=data).json()["id"]
    apart = curl(daemon.url("apart"), data=data).json()["id"]

    def sender(event):
        [found] = traced(daemon, event)["events"]
        return found["sender"]

    assert re.fullmatch(r"process \d+ of user %d" % os.getuid(), sender(by_socket))
    assert sender(by_address) == sender(apart) == "127.0.0.1"
