"""The exec plugin with the example programs: what they are for, and that nothing is lost when they or the daemon die."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from harness import SLOW, lines, objects, wait_until

EXAMPLES = Path(__file__).parents[2] / "etc/examples/exec"
FLOW = """
[source lines]
plugin = exec
command = %(examples)s/follow.py
options = path=%(folder)s/in
[sink db]
plugin = exec
command = %(examples)s/sqlite.py
options = path=%(folder)s/db
retry = exponential(50ms, 50ms, 1000)
breaker_pause = 50ms
breaker_max_pause = 50ms
restart_pause = 50ms
[route all]
to = db
"""


def flow(folder, more=""):
    return FLOW % {"examples": EXAMPLES, "folder": folder} + more % {"examples": EXAMPLES, "folder": folder}


def rows(folder):
    if not (folder / "db").exists():
        return []
    with closing(sqlite3.connect(folder / "db", timeout=20 * SLOW)) as db:
        if not db.execute("select 1 from sqlite_master where name = 'events'").fetchall():
            return []
        return [json.loads(event)["data"] for event, in db.execute("select event from events")]


def children(daemon, name):
    """The processes that the daemon started whose command line holds the name."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            command = (stat.parent / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == daemon.pid and name.encode() in command:
            found.append(int(stat.parent.name))
    return found


def is_there(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def write_lines(folder, first, last):
    with open(folder / "in", "a") as out:
        out.writelines("line %d\n" % i for i in range(first, last))


def test_each_line_is_a_row_once_whatever_dies(folder, patchbay):
    write_lines(folder, 0, 150)
    daemon = patchbay(flow(folder))
    wait_until(lambda: len(rows(folder)) >= 1, what="a first row")
    os.kill(*children(daemon, "follow.py"), signal.SIGKILL)
    os.kill(*children(daemon, "sqlite.py"), signal.SIGKILL)
    write_lines(folder, 150, 300)
    wait_until(lambda: len(rows(folder)) >= 151, what="rows after the programs were killed")
    orphans = children(daemon, "/exec/")
    daemon.kill()
    wait_until(lambda: not any(map(is_there, orphans)), what="the end of the killed daemon's programs")
    write_lines(folder, 300, 400)
    daemon.start()
    wait_until(lambda: len(rows(folder)) >= 400, timeout=30, what="a row a line")
    assert sorted(rows(folder), key=lambda row: int(row.split()[1])) == ["line %d" % i for i in range(400)]
    daemon.stop()
    assert not any(map(is_there, orphans))
    assert re.search(r"warning \[source lines\] \S+follow.py was ended by SIGKILL; it is started again", daemon.log)


def test_programs_end_with_the_daemon_and_their_metrics_are_shown(folder, patchbay):
    write_lines(folder, 0, 3)
    daemon = patchbay(flow(folder))
    wait_until(lambda: len(rows(folder)) == 3, what="three rows")
    programs = children(daemon, "/exec/")
    assert len(programs) == 2
    shown = wait_until(lambda: re.search(r'^patchbay_exec_program_rows(?:_total)?\{[^}]*"db"[^}]*\} 3$',
                                         daemon.command("status", "--prometheus").stdout, re.M), what="the metric")
    assert shown
    daemon.stop()
    assert not any(map(is_there, programs))
    assert "warning" not in daemon.log


def test_plain_programs(folder, patchbay):
    (folder / "spool").mkdir()
    write_lines(folder, 0, 1)
    with open(folder / "in", "a") as out:
        out.write("to someone@example.org and x@y.z\n")
    daemon = patchbay(flow(folder, """
[source load]
plugin = exec
format = plain
command = %(examples)s/load.sh
type = load
restart_pause = 100ms
[filter redact]
plugin = exec
format = plain
command = %(examples)s/redact.sh
[sink spool]
plugin = exec
format = plain
command = %(examples)s/notify.sh
options = folder=%(folder)s/spool
[sink loads]
plugin = file
path = %(folder)s/loads
[route spool]
from = lines
filters = redact
to = spool
[route loads]
from = load
to = loads
"""))
    wait_until(lambda: len(list((folder / "spool").glob("*.json"))) == 2, what="two files")
    events = [json.loads(path.read_text()) for path in (folder / "spool").glob("*.json")]
    assert sorted(event["data"] for event in events) == ["line 0", "to (address) and (address)"]
    wait_until(lambda: len(lines(folder / "loads")) >= 2, what="two measurements")
    load = objects(folder / "loads")[0]
    assert load["type"] == "load" and set(load["data"]) == {"one", "five", "fifteen"}
    daemon.stop()


@pytest.mark.skipif(shutil.which("node", path="/usr/bin") is None, reason="there is no Node here")
def test_node(folder, patchbay):
    write_lines(folder, 0, 20)
    daemon = patchbay(flow(folder, """
[sink counts]
plugin = exec
command = %(examples)s/count.js
options = path=%(folder)s/counts
[route counts]
to = counts
"""))
    wait_until(lambda: (folder / "counts").exists() and json.loads((folder / "counts").read_text()) == {"line": 20},
               what="twenty counted")
    daemon.stop()


def test_a_refused_option_is_an_error_of_the_configuration(folder, patchbay):
    write_lines(folder, 0, 1)
    daemon = patchbay(flow(folder))
    wait_until(lambda: len(rows(folder)) == 1, what="a row")
    text = daemon.config.read_text()
    daemon.configure(text.replace("path=%s/in" % folder, "path=%s/missing" % folder))
    done = daemon.command("reload")
    line = text[:text.index("options")].count("\n") + 1
    assert done.returncode == 1
    assert "%s:%d: [source lines] options: path: [Errno 2] No such file" % (daemon.config, line) in done.stdout + done.stderr
    write_lines(folder, 1, 2)
    wait_until(lambda: len(rows(folder)) == 2, what="a row by the configuration that goes on")
    daemon.stop()
    daemon.configure(daemon.config.read_text())
    daemon.start(wait=False)
    assert daemon.ended() == 1
    assert "options: path: [Errno 2] No such file" in daemon.fresh


PLUGIN = Path(os.environ.get("PATCHBAY_PLUGINS", ".")) / "exec.so"


@pytest.mark.parametrize("kind, skipped, args", [
    ("source", {"source.acknowledges", "source.refuses"},
     ["command=%(examples)s/follow.py", "options=path=%(folder)s/in", "--feed", "echo line >> %(folder)s/in"]),
    ("sink", {"sink.order"}, ["command=%(examples)s/sqlite.py", "options=path=%(folder)s/db"]),
    ("filter", set(), ["format=plain", "command=%(examples)s/redact.sh"])])
def test_examples_pass_the_conformance_suite(folder, kind, skipped, args):
    write_lines(folder, 0, 1)
    argv = [os.environ["PATCHBAY"], "plugin-test", PLUGIN, "--kind", kind, "--json", "--only", kind + ".*",
            "--only", "life.clean", "--only", "stop.*", "--only", "process.children"]
    done = subprocess.run([*argv, *(arg % {"examples": EXAMPLES, "folder": folder} for arg in args)],
                          capture_output=True, text=True, check=False, timeout=120 * SLOW)
    assert done.stderr == ""
    results = {row["rule"]: row["result"] for row in map(json.loads, done.stdout.splitlines())}
    assert {rule for rule, result in results.items() if result == "fail"} == set(), done.stdout
    assert {rule for rule, result in results.items() if result == "skip"} == skipped
    assert len(results) >= 5


def test_the_examples_are_short():
    for path in EXAMPLES.iterdir():
        assert len(lines(path)) <= 40 and os.access(path, os.X_OK), path.name
