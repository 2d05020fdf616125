"""What the documents show works as shown, and what the guide explains is what is said."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness import SLOW, wait_until

TOP = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "doc/guide/exec.md", "doc/guide/operating.md", "doc/guide/sinks.md", "doc/guide/sources.md",
             "doc/man/patchbay.1.in"]
GUIDE = (TOP / "doc/guide/operating.md").read_text()
CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
%s
[sink out]
plugin = null
[route all]
to = out
"""


def text(name):
    return (TOP / name).read_text().replace("\\-", "-").replace("\\(aq", "'")


def commands(program):
    """The shown calls of a program, a continued line whole."""
    return [(name, line.strip()) for name in DOCUMENTS
            for line in re.sub(r"\\\n\s*", "", text(name)).splitlines()
            if line.strip().startswith(program + " ")]


@pytest.mark.parametrize("name, command", commands("curl"))
def test_each_curl_is_answered_with_202(folder, patchbay, name, command):
    (folder / "token").write_text("word")
    (folder / "token").chmod(0o600)
    secret = "token = ${file:%s/token}" % folder if "bearer" in command.lower() else ""
    daemon = patchbay(CONFIG % secret)
    assert "http://127.0.0.1:8080/" in command
    assert "content-type: application/json" in command
    command = command.replace("http://127.0.0.1:8080/", daemon.url("hooks")) \
        .replace("/etc/patchbay/studio.token", str(folder / "token")) \
        .replace("curl ", "curl -sS -o /dev/null -w '%{http_code}' ", 1)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False,
                          timeout=20 * SLOW, env={**os.environ, "TOKEN": "word"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "202", "")


def test_there_are_commands():
    assert {name for name, _ in commands("curl")} == {
        "README.md", "doc/guide/operating.md", "doc/man/patchbay.1.in"}


@pytest.mark.parametrize("name, block", [
    (name, block) for name in DOCUMENTS
    for block in re.findall(r"```ini\n(.*?)```", text(name), re.S)])
def test_each_configuration_is_right(folder, name, block):
    (folder / "token").write_text("word")
    (folder / "token").chmod(0o600)
    block = re.sub(r"/etc/patchbay/\w+\.token", str(folder / "token"), block)
    block = block.replace("control_group = patchbay", "control_group = root")
    (folder / "c.ini").write_text(block)
    argv = [os.environ["PATCHBAY"], "check", "-c", folder / "c.ini", "--plugin-dir",
            os.environ["PATCHBAY_PLUGINS"]]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20 * SLOW, check=False)
    assert done.returncode == 0, done.stderr


def leaves(value):
    """The names of all members."""
    for name, inner in value.items():
        yield name
        if isinstance(inner, dict):
            yield from leaves(inner)


def test_the_guide_explains_all_of_status(patchbay):
    daemon = patchbay(CONFIG % "")
    section = GUIDE[GUIDE.index("## What `patchbay status` says"):GUIDE.index("## Failures")]
    for one in daemon.status():
        for name in leaves(one):
            assert "`%s`" % name in section or name in ("bytes",), name
    heads = re.sub(r"  +", "\n", "\n".join(
        line for line in daemon.command("status").stdout.splitlines()
        if line.startswith(("KIND", "LANE")))).split("\n")
    for head in set(heads) - {"KIND", "NAME", "PLUGIN", "LANE"}:
        assert "| %s |" % head in section, head


def test_the_guide_quotes_the_log():
    source = "".join(path.read_text() for path in sorted((TOP / "core").rglob("*.c")))
    source = re.sub(r'"\s*\n\s*"', "", source)
    section = GUIDE[GUIDE.index("## The log"):GUIDE.index("## The state folder")]
    quoted = [line for row in re.findall(r"^\| (`.*?`) \|", section, re.M)
              for line in re.findall(r"`(.*?)`", row)]
    assert len(quoted) > 12
    for line in quoted:
        pieces = re.split(r"…|\[\w+ x\]|'|\b(?:VERSION|FILE|FOLDER|REASON|ID|TYPE|[NRS])\b|: $", line)
        longest = max(pieces, key=len).strip(" :,;()")
        assert longest in source, line


def test_the_guide_names_what_is_in_the_state_folder(patchbay):
    daemon = patchbay(CONFIG % "")
    section = GUIDE[GUIDE.index("## The state folder"):]
    wait_until(lambda: (daemon.state / "state" / "reserve").exists(), what="the reserve")
    for path in daemon.state.rglob("*"):
        name = str(path.relative_to(daemon.state)) + ("/" if path.is_dir() else "")
        assert "`%s`" % name in section or name == "state/" or name.endswith(".seg"), name


def test_each_of_patchbays_own_events_is_explained():
    own = (TOP / "core/config/own.c").read_text()
    told = "".join(path.read_text() for path in (TOP / "core/dispatch").glob("*.c"))
    section = GUIDE.split("## Being told")[1].split("\n## ")[0]
    rows = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `patchbay."))
    types = set(re.findall(r'"(patchbay\.[a-z]+\.[a-z]+)"', told))
    assert types == set(re.findall(r'"(patchbay\.[a-z.]+)"', own))
    assert types == set(re.findall(r"`(patchbay\.[a-z.]+)`", rows))
