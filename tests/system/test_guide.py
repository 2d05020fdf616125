"""doc/plugins.md as a new author reads it: each file is written as shown, each command run, one after another."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness import SLOW

pytestmark = pytest.mark.plain

TOP = Path(__file__).parents[2]
GUIDE = (TOP / "doc/plugins.md").read_text()
BLOCK = re.compile(r"(?:^`([\w./-]+)`(?:, before `([^`\n]+)`)?:\n\n)?^```(\w+)\n(.*?)^```$", re.M | re.S)
# What a compiler that adds sanitizers of its own, or a machine that lets nobody trace, cannot do.
SANITIZING = re.compile(r"SANITIZE=1|-fsanitize=|^valgrind |^gdb ")


def write(folder, name, before, text):
    """A whole file, or lines for one, in front of another line of it."""
    path = folder / name
    if before:
        whole = path.read_text()
        found = [line for line in whole.splitlines(True) if line.strip() == before]
        assert len(found) == 1, (name, before)
        text = whole.replace(found[0], text + found[0])
    path.write_text(text)


def run(block, folder, env):
    """The commands of a block; the folder where they end."""
    kept = [line for line in block.splitlines()
            if not ("-fsanitize" in os.environ["CC"] and SANITIZING.search(line))]
    script = "\n".join(["set -ex", *kept, "pwd >%s/where" % env["HOME"]])
    done = subprocess.run(["sh", "-c", script], cwd=folder, env=env, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200 * SLOW)
    assert done.returncode == 0, done.stdout
    return Path((Path(env["HOME"]) / "where").read_text().strip()), done.stdout


def test_what_it_shows_works(prefix, folder):
    env = {**prefix.env, "HOME": str(folder), "PATH": "%s:%s" % (prefix.patchbay.parent, prefix.env["PATH"])}
    where, said = folder, ""
    for name, before, _, text in BLOCK.findall(GUIDE):
        if name:
            write(where, name, before, text)
        else:
            where, output = run(text, where, env)
            said += output
    shown = next(text for name, _, _, text in BLOCK.findall(GUIDE) if name == "folder.c")
    assert len(shown.splitlines()) < 100
    assert " 0 failed, " in said and "system test: passed" in said
    if "-fsanitize" not in os.environ["CC"]:
        assert '"s" hit Breakpoint 1, ' in said
    run("make install\npatchbay check --plugin-dir %s -c folder.ini\nmake uninstall" % prefix.plugins, where, env)
