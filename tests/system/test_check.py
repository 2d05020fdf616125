"""`patchbay check`: what is said of a configuration, word for word.

Each file of check/ is a configuration, "---- STATUS", and what is printed. "<no newline>" ends a
file without one; {PLUGINS} is the plugin folder.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness import SLOW, repeatable

CASES = sorted(Path(__file__).with_name("check").glob("*.txt"))
RIGHT = "[source in]\nplugin = http\nlisten = 127.0.0.1:0\n[sink out]\nplugin = null\n" \
    "[route all]\nto = out\n"


def check(folder, *options, config="c.ini"):
    """Run `patchbay check` in the folder; nothing but the folder's own files is named in what it says."""
    argv = [os.environ["PATCHBAY"], "check", "-c", config, "--plugin-dir",
            os.environ["PATCHBAY_PLUGINS"], *options]
    env = {**os.environ, "PB_CHECK_WORD": "hunter2"}
    env.pop("CREDENTIALS_DIRECTORY", None)
    return repeatable(argv, cwd=folder, env=env, timeout=20 * SLOW)


def write(path, content, mode=0o600):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def test_there_are_cases():
    assert len(CASES) > 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_said(folder, case):
    config, expected = case.read_bytes().split(b"---- ", 1)
    status, expected = expected.split(b"\n", 1)
    config = config.replace(b"<no newline>\n", b"")
    write(folder / "c.ini", config, 0o644 if case.stem == "exposed-configuration" else 0o600)
    write(folder / "sub" / "a.ini", b"[sink out]\nplugin = null\n[patchbay]\nstate = /z\n"
          b"include = ../c.ini\n")
    write(folder / "empty", b"\n")
    write(folder / "word", b"word\n", 0o644)
    done = check(folder)
    expected = expected.replace(b"{PLUGINS}", os.environ["PATCHBAY_PLUGINS"].encode())
    assert done.stderr.decode() == expected.decode()
    assert done.stdout == b""
    assert done.returncode == int(status)


def test_json(folder):
    write(folder / "c.ini", RIGHT.encode() + b"event = x\n[sink b]\nplugin = null\n")
    done = check(folder, "--json")
    assert done.returncode == 1 and done.stderr == b""
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"level": "error", "file": "c.ini", "line": 8, "section": "route all", "key": "event",
         "message": "there is no such option; did you mean events?"}]


def test_right_says_nothing(folder):
    write(folder / "c.ini", RIGHT.encode())
    for options in ([], ["--json"]):
        done = check(folder, *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_cannot_be_read(folder):
    done = check(folder, config="none.ini")
    assert (done.returncode, done.stderr) == (1, b"none.ini: No such file or directory\n")
    done = check(folder, config=".")
    assert (done.returncode, done.stderr) == (1, b".: is not a regular file\n")


def test_a_value_of_64_kib_is_whole(folder):
    names = ", ".join("e%05d" % i for i in range(8000))
    assert 60000 < len(names) < 65536
    write(folder / "c.ini", RIGHT.encode() + b"events = " + names.encode() + b"\n")
    assert check(folder).returncode == 0
    # The last item is there, and is the one that stands twice.
    write(folder / "c.ini", RIGHT.encode() + b"events = " + names.encode() + b", e07999\n")
    assert b"events: names a type twice" in check(folder).stderr
    write(folder / "c.ini", RIGHT.encode() + b"events = " + b"x" * 65537 + b"\n")
    assert b"c.ini:8: [route all] events: is longer than 64 KiB\n" == check(folder).stderr


def test_run_refuses_what_check_refuses(patchbay):
    daemon = patchbay(RIGHT + "evnts = x\n", start=False)
    daemon.start(wait=False)
    assert daemon.ended() == 1
    assert "[route all] evnts: there is no such option; did you mean events?" in daemon.log
    assert not daemon.state.exists()


def test_run_asks_the_plugins_too(patchbay):
    daemon = patchbay(RIGHT.replace("[sink", "path = nowhere\n[sink"), start=False)
    daemon.start(wait=False)
    assert daemon.ended() == 1
    assert "[source in] path: a path that begins with / is expected" in daemon.log
    assert not daemon.state.exists()


def test_what_is_ready_is_named(patchbay):
    daemon = patchbay(RIGHT)
    daemon.wait_log(r" info ready: patchbay \S+, %s, state %s$" % (daemon.config, daemon.state))


def test_a_state_folder_that_others_write_is_warned_of(patchbay):
    daemon = patchbay(RIGHT, start=False)
    daemon.state.mkdir()
    daemon.state.chmod(0o777)
    daemon.start()
    daemon.wait_log(r"warning \[patchbay\] state: others may write to %s: chmod go-w it" % daemon.state)


def test_a_state_folder_without_its_parent(folder, patchbay):
    daemon = patchbay("[patchbay]\nstate = %s/no/state\n" % folder + RIGHT, start=False)
    daemon.start(wait=False)
    assert daemon.ended() == 1
    assert "error [patchbay] state: %s/no/state: the folder that it is to stand in does not exist" \
        % folder in daemon.log


def test_a_start_tells_the_journal_how_bad_it_is(folder):
    """As all other lines do, where the journal reads them."""
    config = folder / "c.ini"
    config.write_text(RIGHT.replace("listen =", "lisen ="))
    with (folder / "log").open("wb") as log:
        st = os.fstat(log.fileno())
        env = {**os.environ, "JOURNAL_STREAM": "%d:%d" % (st.st_dev, st.st_ino)}
        argv = [os.environ["PATCHBAY"], "run", "-c", config, "--plugin-dir", os.environ["PATCHBAY_PLUGINS"]]
        assert subprocess.run(argv, stderr=log, env=env, timeout=20 * SLOW, check=False).returncode == 1
    said = (folder / "log").read_text().splitlines()
    assert said and all(line.startswith("<3>[source in] ") for line in said)
    assert any(line.startswith("<3>[source in] %s:3: lisen: " % config) for line in said)
