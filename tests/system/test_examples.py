"""The example plugins: each builds against the public header alone, and works."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import lines, objects, tool, wait_until

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
