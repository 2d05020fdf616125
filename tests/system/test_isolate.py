"""`isolate = process`: a plugin's crash, its limits and its end are its own, and no event is lost."""

import http.client
import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from engine import engine, written  # noqa: F401 (a fixture)
from harness import curl, free_port, lines, objects, wait_until

SANITIZED = bool(os.environ.get("PATCHBAY_SLOW"))
QUICK = "isolate = process\nisolate_pause = 20ms\nisolate_max_pause = 200ms\n"
RETRY = "retry = exponential(20ms, 100ms, 1000)\nbreaker_pause = 20ms\nbreaker_max_pause = 100ms\n"
HTTP = "\n[source in]\nplugin = http\nlisten = 127.0.0.1:0\n" + QUICK


def bad_sink(options="", name="out"):
    return """
[sink %s]
plugin = misbehave
log = $DIR/%s.log
%s%s%s
[route all]
from = in
to = %s
""" % (name, name, QUICK, RETRY, options, name)


def pids(daemon, kind, name):
    """Of the section's processes; waits until it has all."""
    def look():
        rows = [row for row in daemon.status() if row.get("kind") == kind and row.get("name") == name]
        return rows and all(rows[0]["pids"]) and rows[0]["pids"]
    return wait_until(look, what="a process of %s %s" % (kind, name))


def restarts(daemon, kind, name):
    return next(row["restarts"] for row in daemon.status()
                if row.get("kind") == kind and row.get("name") == name)


def alive(pid):
    try:
        return "\nState:\tZ" not in Path("/proc/%d/status" % pid).read_text()
    except FileNotFoundError:
        return False


def test_all_of_a_route_in_processes_of_their_own(engine, receiver):
    there = receiver()
    e = engine(HTTP + """
[filter same]
plugin = probe_filter
workers = 2
isolate = process

[sink hook]
plugin = webhook
url = %s
isolate = process

[route all]
filters = same
to = hook
""" % there.url())
    ids = [e.post(n=n) for n in range(20)]
    there.wait(20)
    assert sorted(r.headers["webhook-id"] for r in there.requests) == sorted(ids)
    processes = pids(e, "source", "in") + pids(e, "filter", "same") + pids(e, "sink", "hook")
    assert len(set(processes)) == 4 and e.pid not in processes
    page = e.command("status", "--prometheus").stdout
    assert 'patchbay_isolated_pid{kind="sink",instance="hook",worker="0"} %d' % processes[3] in page
    assert "(process %d)" % processes[0] in e.command("status").stdout
    e.stop()
    assert not any(map(alive, processes))
    assert " warning " not in e.daemon.fresh and " error " not in e.daemon.fresh


@pytest.mark.parametrize("deed, how", [
    ("abort", "was killed by SIGABRT"), ("exit", "exited with status 7"),
    pytest.param("segv", "was killed by SIGSEGV", marks=pytest.mark.skipif(
        SANITIZED, reason="a sanitizer has words of its own for it")),
    pytest.param("memory", "was killed by SIGABRT", marks=pytest.mark.skipif(
        SANITIZED, reason="a sanitizer takes memory of its own")),
])
def test_a_sink_that_crashes_is_started_again_and_gets_the_event(engine, deed, how):
    e = engine(HTTP + bad_sink("once = $DIR/done\nisolate_memory = 200MiB"))
    before = pids(e, "sink", "out")
    ids = [e.post(), e.post(do=deed), e.post()]
    wait_until(lambda: set(lines(e.folder / "out.log")) == set(ids), what="all delivered")
    assert pids(e, "sink", "out") != before
    assert restarts(e, "sink", "out") == 1
    e.daemon.wait_log(r"error \[sink out\] its process %s.* \(it was %d\); it is started again in 20ms" % (how, before[0]))
    e.daemon.wait_log(r"info \[sink out\] its process runs again \(it is \d+ now\)")
    if deed == "memory":
        e.daemon.wait_log(r"no memory after 1?\d\d MiB")
    assert e.running()


def test_a_filter_that_crashes_gets_the_event_again(engine):
    e = engine(HTTP + """
[filter bad]
plugin = misbehave
once = $DIR/done
%s
[sink out]
plugin = file
path = $DIR/out.jsonl
%s
[route all]
filters = bad
to = out
""" % (QUICK, RETRY))
    ids = [e.post(), e.post(do="abort"), e.post()]
    wait_until(lambda: {o["id"] for o in objects(e.folder / "out.jsonl")} == set(ids), what="all delivered")
    assert restarts(e, "filter", "bad") == 1
    e.daemon.wait_log(r"\[filter bad\] its process was killed by SIGABRT")


@pytest.mark.parametrize("deed, call, told", [
    ("exec", "execve", "execve: Operation not permitted"),
    pytest.param("ptrace", "ptrace", "ptrace: Operation not permitted", marks=pytest.mark.skipif(
        SANITIZED, reason="the search for leaks needs it")),
    ("kill", "kill", "kill: Operation not permitted"),
])
def test_what_no_plugin_needs_is_refused(engine, deed, call, told):
    e = engine(HTTP + bad_sink())
    before = pids(e, "sink", "out")
    ids = [e.post(do=deed)]
    wait_until(lambda: lines(e.folder / "out.log") == ids, what="delivered")
    e.daemon.wait_log(r"an isolated section was refused %s\(\) in thread 'out'" % call)
    e.daemon.wait_log(re.escape(told))
    assert pids(e, "sink", "out") == before and e.running()


def test_limits_and_streams(engine):
    e = engine(HTTP + bad_sink("isolate_files = 40"))
    e.post(do="files")
    assert int(e.daemon.wait_log(r"opened (\d+) files").group(1)) < 40
    e.post(do="print")
    e.daemon.wait_log("^a plugin prints$")


def test_a_secret_is_in_no_argument_and_no_environment(engine, monkeypatch):
    monkeypatch.setenv("THE_SECRET", "open-sesame")
    e = engine(HTTP + bad_sink("secret = ${env:THE_SECRET}"))
    pid = pids(e, "sink", "out")[0]
    for name in ("cmdline", "environ"):
        assert b"open-sesame" not in Path("/proc/%d/%s" % (pid, name)).read_bytes()
    assert Path("/proc/%d/cmdline" % pid).read_bytes() == b"patchbay\0isolated\0sink out\0"
    e.post(do="environment")
    e.daemon.wait_log("environment: PATH=")
    e.stop()
    assert "open-sesame" not in e.daemon.log


@pytest.mark.parametrize("deed, why", [
    ("refuse", "deed: is one that this plugin does not do: refuse"),
    ("open exit", "isolate: its process exited with status 7"),
    ("open hang", "isolate: its process did not open within isolate_start"),
])
def test_what_does_not_open_is_said_at_its_line(engine, deed, why):
    e = engine(HTTP + bad_sink("isolate_start = 500ms\ndeed = " + deed), start=False)
    e.daemon.start(wait=False)
    assert e.ended() == 1
    assert re.search(r"patchbay.ini:\d+: \[sink out\] " + re.escape(why), e.daemon.log)


@pytest.mark.parametrize("section, deed", [("sink", "close hang"), ("source", "stop hang"), ("source", "close abort")])
def test_one_that_hangs_when_it_is_to_stop_is_killed(engine, section, deed):
    e = engine("""
[%s bad]
plugin = misbehave
isolate = process
isolate_stop = 100ms
deed = %s
""" % (section, deed))
    pid = pids(e, section, "bad")[0]
    e.stop()
    assert not alive(pid)
    assert re.search(r"warning \[%s bad\] when it was to stop its process %s" % (
        section, "was killed by SIGABRT" if "abort" in deed else "did not end within isolate_stop"), e.daemon.log)


def test_a_source_that_crashes_keeps_its_place(engine):
    e = engine("""
[source numbers]
plugin = counter
count = 3000
group = 3
turn = 2
log = $DIR/numbers.log
%s
[sink out]
plugin = file
path = $DIR/out.jsonl
[route all]
to = out
""" % QUICK)
    for step in (100, 700, 1500):
        wait_until(lambda s=step: len(lines(e.folder / "out.jsonl")) >= s, what="%d events" % step)
        os.kill(pids(e, "source", "numbers")[0], signal.SIGKILL)
    wait_until(lambda: len(lines(e.folder / "out.jsonl")) >= 3000, 30, "all events")
    assert [o["data"]["n"] for o in objects(e.folder / "out.jsonl")] == list(range(1, 3001))
    assert 1 <= restarts(e, "source", "numbers") <= 3


def test_kill_under_load_loses_nothing(engine):
    """Each process is killed again and again while senders post; whoever was told yes has its event delivered."""
    e = engine(HTTP + """
[filter same]
plugin = probe_filter
%s
[sink out]
plugin = file
path = $DIR/out.jsonl
%s%s
[sink hooks]
plugin = scripted_submit
log = $DIR/hooks.log
%s%s
[route all]
filters = same
to = out, hooks
""" % (QUICK, QUICK, RETRY, QUICK, RETRY))
    accepted, ended = [], threading.Event()
    host, port = e.addresses("in")[0].rsplit(":", 1)

    def load():
        while not ended.is_set():
            sender = http.client.HTTPConnection(host, int(port), timeout=10)
            try:
                while not ended.is_set():
                    sender.request("POST", "/", '{"event":"x"}', {"content-type": "application/json"})
                    answer = sender.getresponse()
                    body = answer.read()
                    if answer.status == 202:
                        accepted.append(json.loads(body)["id"])
            except (OSError, http.client.HTTPException):
                pass        # no receipt: whether it is stored, nobody was told
            finally:
                sender.close()
    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(12):
            kind, name = [("source", "in"), ("filter", "same"), ("sink", "out"), ("sink", "hooks")][i % 4]
            before = len(accepted)
            os.kill(pids(e, kind, name)[0], signal.SIGKILL)
            wait_until(lambda n=before: len(accepted) > n, 20, "events are accepted again")
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert len(accepted) > 20
    wait_until(lambda: set(accepted) <= {o["id"] for o in objects(e.folder / "out.jsonl")}, 30, "all in the file")
    wait_until(lambda: set(accepted) <= {o["id"] for o in e.log("hooks")}, 30, "all at the hooks")


def test_reload_keeps_what_is_the_same(engine):
    config = HTTP.replace(":0\n", ":%d\n" % free_port()) + "dedupe = %s\n" + bad_sink()
    e = engine(config % "1h")
    source, out = pids(e, "source", "in"), pids(e, "sink", "out")
    e.daemon.configure(written(e.folder, config % "2h"))
    assert e.command("reload").returncode == 0
    e.connection = None
    assert pids(e, "sink", "out") == out and pids(e, "source", "in") != source
    e.post()
    wait_until(lambda: len(lines(e.folder / "out.log")) == 1, what="delivered")
    e.daemon.configure(written(e.folder, (config % "2h").replace(QUICK, "", 1)))
    assert e.command("reload").returncode == 0       # back in the daemon, on the same socket
    e.connection = None
    e.post()
    wait_until(lambda: len(lines(e.folder / "out.log")) == 2, what="delivered")
    assert not alive(source[0])


def test_a_repeat_is_known(engine):
    e = engine(HTTP + "dedupe = 1h\nworkers = 2\n" + bad_sink())
    url = e.url("in")
    first, again = [curl(url, "-H", 'idempotency-key: "k"', data='{"event":"x"}') for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    os.kill(pids(e, "source", "in")[0], signal.SIGKILL)
    os.kill(pids(e, "source", "in")[1], signal.SIGKILL)
    third = curl(url, "-H", 'idempotency-key: "k"', data='{"event":"x"}')
    assert third.json()["id"] == first.json()["id"]


def test_counters_go_on_over_a_restart(engine):
    e = engine(HTTP + bad_sink())

    def counted(n):
        return lambda: 'patchbay_misbehave_deeds_total{sink="out"} %d\n' % n in e.command("status", "--prometheus").stdout
    e.post()
    wait_until(counted(1), what="one counted")
    os.kill(pids(e, "sink", "out")[0], signal.SIGKILL)
    wait_until(lambda: restarts(e, "sink", "out") == 1)
    pids(e, "sink", "out")
    e.post()
    wait_until(counted(2), what="two counted")


def test_the_processes_die_with_the_daemon(engine):
    e = engine(HTTP + bad_sink())
    processes = pids(e, "source", "in") + pids(e, "sink", "out")
    e.kill()
    wait_until(lambda: not any(map(alive, processes)), what="all gone")


def test_a_plugin_that_starts_programs_may(engine):
    e = engine("""
[source words]
plugin = exec
command = sh, -c, "echo one; echo $WANTED; exec tail -f /dev/null"
format = plain
type = word
environment = WANTED
isolate = process
isolate_environment = WANTED

[sink out]
plugin = file
path = $DIR/out.jsonl
[route all]
to = out
""", env={"WANTED": "two"})
    wait_until(lambda: [o["data"] for o in objects(e.folder / "out.jsonl")] == ["one", "two"], what="both words")
    e.stop()
