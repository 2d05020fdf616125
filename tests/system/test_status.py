"""`patchbay status` and the control socket of a running daemon: who may ask, and what is told."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess

import pytest

from harness import SLOW, curl, free_port, objects, wait_until

NOBODY = 65534
CONFIG = """
[patchbay]
state = %(folder)s/%(name)sstate
%(more)s
[source hooks]
plugin = http
listen = 127.0.0.1:0

[sink keep]
plugin = file
path = %(folder)s/%(name)sall.jsonl

[sink team]
plugin = webhook
url = http://127.0.0.1:%(closed)d/

[route keep]
from = hooks
to = keep

[route runs]
from = hooks
events = report_*
to = team
"""


@pytest.fixture
def serve(folder, patchbay):
    """serve(more): a daemon with these lines in [patchbay]; its receiver refuses connections."""
    def make(more="", name="", **kw):
        config = CONFIG % {"folder": folder, "name": name, "more": more, "closed": free_port()}
        return patchbay(config, name=name, **kw)
    return make


def send(daemon, event):
    assert curl(daemon.url("hooks"), data=json.dumps({"event": event})).status == 202


def named(status, kind, **name):
    """The one object of that type with these members."""
    found = [o for o in status if o["type"] == kind and name.items() <= o.items()]
    assert len(found) == 1, status
    return found[0]


def ask(path, *lines):
    """What the control socket answers to whole lines, as objects."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20 * SLOW)
        s.connect(str(path))
        s.sendall(b"".join(line + b"\n" for line in lines))
        s.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    return [json.loads(line) for line in answer.splitlines()]


def test_json_tells_what_happened(serve):
    daemon = serve()
    for event in ("report_run_started", "report_created", "definition_created"):
        send(daemon, event)

    def settled():
        status = daemon.status()
        keep, team = named(status, "lane", route="keep"), named(status, "lane", route="runs")
        return status if keep["delivered"] == 3 and team["retried"] == 2 else None

    status = wait_until(settled, what="three delivered, two failed")
    assert [o["type"] for o in status] == ["daemon"] + ["instance"] * 3 + ["lane"] * 2
    first = status[0]
    assert first["pid"] == daemon.pid
    assert first["journal"]["events"] == 3 and first["journal"]["bytes"] > 0
    assert first["state_bytes"] > 0 and first["uptime_ms"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["started"])
    hooks = named(status, "instance", name="hooks")
    assert (hooks["kind"], hooks["plugin"], hooks["state"]) == ("source", "http", "running")
    assert hooks["events"] == 3
    team = named(status, "instance", name="team")
    assert team["events"] == 0 and team["failures"] == 2
    assert "refused" in team["last_failure"]
    lane = named(status, "lane", sink="keep")
    assert lane["behind"] == 0 and lane["dead"] == 0 and lane["stragglers"] == 0


def test_people_get_a_table(serve):
    daemon = serve()
    send(daemon, "report_created")
    wait_until(lambda: named(daemon.status(), "instance", name="team")["failures"] == 1)
    done = daemon.command("status")
    assert done.returncode == 0 and done.stderr == ""
    assert "\033" not in done.stdout
    head, _, *rows = done.stdout.splitlines()
    assert re.fullmatch(r"patchbay \S+, up \d+s; journal \S+ \S+, 1 event; state \S+ KiB", head)
    assert all(row == row.rstrip() for row in rows)
    table, lanes = rows[:4], rows[5:]
    assert table[0].split() == ("KIND NAME PLUGIN STATE EVENTS FAILURES IN FLIGHT BACKLOG "
                                "LAST FAILURE").split()
    assert table[1].split() == "source hooks http running 1 0 0".split()
    assert re.match(r"sink +team +webhook +\S+ +0 +1 +0 +\S.*refused", table[3])
    for column in ("NAME", "PLUGIN", "STATE", "LAST FAILURE"):
        assert table[3][table[0].index(column) - 1] == " "
        assert table[3][table[0].index(column)] != " "
    assert lanes[0].split()[0] == "LANE"
    assert lanes[1].startswith("keep -> keep ") and lanes[2].startswith("runs -> team ")


def drain(terminal):
    """All that was written to a terminal whose other side is closed, which is an error to read."""
    shown = b""
    try:
        while True:
            shown += os.read(terminal, 65536)
    except OSError:
        os.close(terminal)
        return shown


@pytest.mark.parametrize("env, coloured", [({}, True), ({"NO_COLOR": "1"}, False),
                                           ({"TERM": "dumb"}, False)])
def test_colours_are_for_terminals(serve, env, coloured):
    daemon = serve()
    send(daemon, "report_created")
    wait_until(lambda: named(daemon.status(), "instance", name="team")["failures"] == 1)
    ours, theirs = pty.openpty()
    done = subprocess.run([daemon.program, "status", "-c", daemon.config], stdout=theirs,
                          env={**os.environ, "TERM": "xterm", **env}, timeout=30 * SLOW, check=True)
    assert done.returncode == 0
    os.close(theirs)
    shown = drain(ours)
    assert b"LAST FAILURE" in shown
    assert (b"\033[33m1\033[0m" in shown) is coloured


def test_no_daemon(serve):
    daemon = serve(start=False)
    done = daemon.command("status")
    assert done.returncode == 3 and done.stdout == ""
    assert "no daemon answers at %s" % daemon.control in done.stderr
    assert "check" not in done.stderr

    daemon.start()
    info = os.stat(daemon.control)
    assert stat.S_ISSOCK(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o660
    daemon.kill()
    assert daemon.control.exists()
    done = daemon.command("status", "--json")
    assert done.returncode == 3 and done.stdout == ""

    daemon.start()      # over the file that was left
    assert daemon.status()
    daemon.stop()
    assert not daemon.control.exists()


def test_a_configuration_that_became_wrong_will_do(serve):
    daemon = serve()
    text = daemon.config.read_text()
    daemon.config.write_text(text + "\n[sink team]\nplugin = nonsense\n[route x\nbad line\n")
    assert daemon.command("check").returncode == 1
    assert daemon.status()[0]["pid"] == daemon.pid
    daemon.stop()
    done = daemon.command("status")
    assert done.returncode == 3 and "patchbay check" in done.stderr

    daemon.config.unlink()
    done = daemon.command("status")
    assert done.returncode == 1 and str(daemon.config) in done.stderr


def test_usage(serve):
    daemon = serve(start=False)
    done = daemon.command("status", "everything")
    assert done.returncode == 2 and "--help" in done.stderr


def test_one_socket_is_one_daemon_s(folder, serve):
    shared = "control = %s/both.sock" % folder
    first = serve(shared)
    second = serve(shared, name="second", start=False).start(wait=False)
    assert second.ended() == 1
    assert "another daemon answers there" in second.log
    assert first.status()[0]["pid"] == first.pid


def as_user(daemon, gid, *groups):
    """`patchbay status` of the user nobody in these groups."""
    program = daemon.folder / "patchbay"    # nobody need not see into the build folder
    shutil.copy(daemon.program, program)
    return subprocess.run([program, "status", "--json", "-c", daemon.config],
                          capture_output=True, text=True, timeout=30 * SLOW, check=False,
                          user=NOBODY, group=gid, extra_groups=groups)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_who_may_ask(folder, serve):
    daemon = serve("control = %s/ask.sock\ncontrol_group = daemon" % folder)
    group = os.stat(folder / "ask.sock").st_gid
    assert as_user(daemon, NOBODY, group).returncode == 0
    assert as_user(daemon, group).returncode == 0
    done = as_user(daemon, NOBODY)
    assert done.returncode == 4 and done.stdout == "" and "not permitted" in done.stderr
    os.chmod(folder / "ask.sock", 0o666)    # the daemon looks for itself
    done = as_user(daemon, NOBODY)
    assert done.returncode == 4 and done.stdout == "" and "control_group" in done.stderr
    daemon.wait_log("user %d was refused" % NOBODY)


def test_a_group_that_is_none(serve):
    daemon = serve("control_group = no-such-group", start=False).start(wait=False)
    assert daemon.ended() == 1
    assert "there is no group no-such-group" in daemon.log
    assert not daemon.state.exists()


def test_one_that_hangs_is_not_waited_for(serve):
    daemon = serve()
    daemon.send(signal.SIGSTOP)
    try:
        done = daemon.command("status")
    finally:
        daemon.send(signal.SIGCONT)
    assert (done.returncode, done.stdout) == (3, "")
    assert "does not answer" in done.stderr


def test_reopen_is_what_sighup_does(folder, serve):
    daemon = serve()
    send(daemon, "definition_created")
    wait_until(lambda: objects(folder / "all.jsonl"))
    (folder / "all.jsonl").rename(folder / "all.jsonl.1")
    assert ask(daemon.control, b'{"verb":"reopen"}') == [{"end": True}]
    send(daemon, "definition_updated")
    wait_until(lambda: (folder / "all.jsonl").exists() and objects(folder / "all.jsonl"))
    assert [o["type"] for o in objects(folder / "all.jsonl.1")] == ["definition_created"]
    assert [o["type"] for o in objects(folder / "all.jsonl")] == ["definition_updated"]
    daemon.wait_log("user %d asks: reopen" % os.getuid())


def test_nonsense_does_no_harm(serve):
    daemon = serve()
    for request in (b"", b"GET / HTTP/1.1", b"\0\0\0", b"[" * 60000, b'{"verb":"no"}',
                    b'{"verb":"status","args":[]}'):
        assert [o["code"] for o in ask(daemon.control, request)] == ["usage"], request
    answers = ask(daemon.control, b"x", b'{"verb":"status"}')
    assert answers[0]["code"] == "usage" and answers[-1] == {"end": True}
    assert daemon.status()
