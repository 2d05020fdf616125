"""The example plugins: each builds against the public header alone, and works."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import SLOW, curl, lines, objects, tool, wait_until

TOP = Path(__file__).parents[2]
CONFIG = """
[source lines]
plugin = fifo
path = %(fifo)s
[sink out]
plugin = file
path = %(out)s
[route all]
to = out
"""


@pytest.fixture
def fifo(folder, patchbay, monkeypatch):
    """A daemon whose source reads a FIFO, with both paths as attributes."""
    plugins = folder / "plugins"
    shutil.copytree(os.environ["PATCHBAY_PLUGINS"], plugins)
    plugins.chmod(0o755)
    subprocess.run([tool("cc"), "-std=c17", "-D_GNU_SOURCE", "-Wall",
                    "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC",
                    "-I", TOP / "include", "-o", plugins / "fifo.so",
                    TOP / "etc/examples/plugins/fifo.c"], check=True)
    monkeypatch.setenv("PATCHBAY_PLUGINS", str(plugins))
    os.mkfifo(folder / "fifo")
    daemon = patchbay(CONFIG % {"fifo": folder / "fifo", "out": folder / "out"})
    daemon.fifo, daemon.out = folder / "fifo", folder / "out"
    return daemon


def test_each_line_is_an_event(fifo):
    with open(fifo.fifo, "wb", buffering=0) as writer:
        writer.write(b'one\n{"two": 2}\n\nthr')
        writer.write(b"ee\n")
    with open(fifo.fifo, "wb") as writer:
        writer.write(b"x" * 70000 + b" too long\nfour\n")
    wait_until(lambda: len(lines(fifo.out)) >= 4, what="four events")
    events = objects(fifo.out)
    assert [event.get("data") for event in events] == ["one", {"two": 2}, "three", "four"]
    assert {(event["source"], event["type"]) for event in events} == {("lines", "line")}
    assert "dropped a line longer than 65536 bytes" in fifo.log


def test_it_explains_itself(fifo):
    done = fifo.command("plugins", "fifo")
    assert done.returncode == 0 and "The FIFO to read." in done.stdout


def test_what_is_no_fifo_is_refused(fifo, patchbay, folder):
    (folder / "file").write_bytes(b"x\n")
    daemon = patchbay(CONFIG % {"fifo": folder / "file", "out": folder / "out2"}, start=False,
                      name="second").start(wait=False)
    assert daemon.ended() == 1
    assert "[source lines] path: is not a FIFO" in daemon.log


# What names something that a test's machine need not have stands in the example as a comment.
AS_COMMENT = {"include", "plugin_dir", "control", "control_group", "filters", "plugin"}


def test_every_option_is_shown_and_works(patchbay, folder, receiver):
    """All options that sections share are in the example, and a daemon runs with it."""
    text = (TOP / "etc/examples/every-option.ini").read_text()
    shown = set(re.findall(r"^(\w+) *= ", text, re.M))
    commented = set(re.findall(r"^# (\w+) *= ", text, re.M))
    program = [os.environ["PATCHBAY"], "plugins", "--core", "--json"]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    options = {option["name"] for line in done.stdout.splitlines() for option in json.loads(line)["options"]}
    assert len(options) > 40
    assert options - shown - commented == set() and commented <= AS_COMMENT
    there = receiver()
    config = text.replace("/var/lib/patchbay", str(folder / "state")).replace("/var/log/patchbay", str(folder)) \
        .replace("127.0.0.1:8080", "127.0.0.1:0").replace("http://127.0.0.1:8081/hooks", there.url())
    daemon = patchbay(config)
    assert "warning" not in daemon.log
    assert curl(daemon.url("hooks"), data=b'{"event": "report_created"}').status == 202
    wait_until(lambda: len(objects(folder / "audit.jsonl")) == 1, what="the event in the audit log")
    wait_until(lambda: there.requests, what="the event at the receiver")


def test_mqtt_builds_and_passes_outside_the_tree(prefix, folder):
    """As a stranger would build it, with what is installed, at a real broker."""
    mqtt = folder / "mqtt"
    shutil.copytree(TOP / "etc/examples/plugins/mqtt", mqtt)
    assert len((mqtt / "mqtt.c").read_text().splitlines()) < 300
    run(prefix, mqtt, "make", "check", "install", "CFLAGS=-O1 -g -Werror")
    if "-fsanitize" not in os.environ["CC"]:
        run(prefix, mqtt, "make", "check", "SANITIZE=1", "CFLAGS=-g -Werror")
    for name in ("mqtt.user", "mqtt.password"):
        (folder / name).write_text("x\n")
        (folder / name).chmod(0o600)
    said = run(prefix, mqtt, prefix.patchbay, "check", "--plugin-dir", prefix.plugins, "-c", "mqtt.ini",
               CREDENTIALS_DIRECTORY=str(folder))
    assert said == ""
    page = run(prefix, mqtt, "man", "--warnings", "-E", "ascii", "-l", "patchbay-mqtt.7", MANWIDTH="100")
    assert "acknowledged only after it is on disk" in page
    run(prefix, mqtt, "make", "uninstall", "clean")


def run(prefix, where, *argv, **env):
    """A command with the prefix in sight; what it said, both streams in one."""
    done = subprocess.run(argv, cwd=where, env={**prefix.env, **env}, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120 * SLOW)
    assert done.returncode == 0, "%s\n%s" % (argv, done.stdout)
    return done.stdout
