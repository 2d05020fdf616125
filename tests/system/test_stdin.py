"""`program | patchbay run`: it ends when the input does and all is delivered, and its exit status says how."""

import subprocess

import pytest

from engine import SUBMIT, plugin_folder
from harness import SLOW, Daemon, lines, objects, read, wait_until

CONFIG = """
[source in]
plugin = stdin
%s
[sink out]
plugin = file
path = %s
format = raw
[route all]
to = out
"""


def begin(daemon, stdin):
    """The daemon with this as its standard input, its log in the file as ever."""
    with open(daemon.output, "ab") as log:
        daemon.process = subprocess.Popen(daemon.argv, stdin=stdin, stdout=log, stderr=log)
    return daemon


@pytest.fixture
def make(folder, monkeypatch):
    monkeypatch.setenv("PATCHBAY_PLUGINS", str(plugin_folder(folder)))
    made = []

    def new(options="", config=CONFIG):
        daemon = Daemon(folder, config % (options, folder / "out") if config == CONFIG else config)
        made.append(daemon)
        return daemon
    yield new
    for daemon in made:
        daemon.kill()
        assert not daemon.complaint()


def test_a_pipeline_ends_with_its_input(folder, make):
    daemon = begin(make(), subprocess.PIPE)
    daemon.process.communicate("".join("line %d\n" % n for n in range(20000)).encode() + b"\xff last", timeout=60 * SLOW)
    assert daemon.ended(30) == 0
    assert read(folder / "out") == "".join("line %d\n" % n for n in range(20000)).encode() + b"\xff last\n"
    assert "all sources have ended, and all is delivered: stopping" in daemon.log
    (folder / "copy").write_bytes(read(folder / "out"))
    with open(folder / "copy", "rb") as again:     # a file, and a store that has something already
        assert begin(daemon, again).ended(30) == 0
    assert len(lines(folder / "out")) == 40002


def test_it_waits_for_the_last_line(folder, make):
    """Whoever writes slowly is waited for, and nothing is kept back meanwhile."""
    daemon = begin(make(), subprocess.PIPE)
    writer = daemon.process.stdin
    for n in range(3):
        writer.write(b"line\n")
        writer.flush()
        wait_until(lambda: len(lines(folder / "out")) == n + 1, what="line %d" % n)
    assert [row for row in daemon.status() if row.get("name") == "in"][0]["state"] == "running"
    writer.close()
    assert daemon.ended() == 0


SCRIPTED = """
[source in]
plugin = stdin
[sink out]
plugin = %s
log = %s
script = %s
retry = exponential(100ms, 100ms, 1000)
[route all]
to = out
"""


def scripted(folder):
    return SCRIPTED % (SUBMIT, folder / "out.log", folder / "out.script")


def test_what_is_refused_makes_it_fail(folder, make):
    (folder / "out.script").write_text("reject")
    daemon = begin(make(config=scripted(folder)), subprocess.PIPE)
    daemon.process.communicate(b"one\n", timeout=30 * SLOW)
    assert daemon.ended() == 1
    assert "all sources have ended, and not all is delivered, see patchbay dead: stopping" in daemon.log


def test_what_fails_is_tried_again_first(folder, make):
    (folder / "out.script").write_text("retry")
    daemon = begin(make(config=scripted(folder)), subprocess.PIPE)
    daemon.process.stdin.write(b"one\n")
    daemon.process.stdin.close()
    wait_until(lambda: len(lines(folder / "out.log")) >= 1, what="an attempt")
    wait_until(lambda: "has come to its end" in daemon.log, what="the end of the input")
    assert daemon.running()
    (folder / "script").write_text("ok")
    (folder / "script").rename(folder / "out.script")
    assert daemon.ended() == 0
    assert objects(folder / "out.log")[-1]["answer"] == "ok"


def test_who_is_stopped_before_all_is_delivered_fails(folder, make):
    (folder / "out.script").write_text("down")
    daemon = begin(make(config=scripted(folder)), subprocess.PIPE)
    daemon.process.stdin.write(b"one\n")
    daemon.process.stdin.close()
    wait_until(lambda: "has come to its end" in daemon.log, what="the end of the input")
    assert [row for row in daemon.status() if row.get("name") == "in"][0]["state"] == "ended"
    daemon.stop(expect=1)
    assert "what is not delivered goes out at the next start" in daemon.log


def test_another_source_keeps_it_running(folder, make):
    daemon = make("[source clock]\nplugin = timer\nevery = 1h\n")
    begin(daemon, subprocess.DEVNULL)
    wait_until(lambda: "has come to its end" in daemon.log, what="the end of the input")
    assert daemon.command("status").returncode == 0
    daemon.stop()
