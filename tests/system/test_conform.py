"""`patchbay plugin-test`: our own plugins pass, and each rule catches what it is for."""

import json
import os
import socket
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness import SLOW, Receiver

PLUGINS = Path(os.environ.get("PATCHBAY_PLUGINS", "."))
TESTS = Path(os.environ.get("PATCHBAY_TESTS", "."))
FIFO = TESTS / "system/plugins/fifo.so"


def conform(*args, timeout=120):
    return subprocess.run([os.environ["PATCHBAY"], "plugin-test", *args], capture_output=True, text=True,
                          timeout=timeout * SLOW, check=False)


def results(*args):
    """Rule to (result, reason)."""
    done = conform(*args, "--json")
    assert done.returncode in (0, 1), done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == any(row["result"] == "fail" for row in rows)
    return {row["rule"]: (row["result"], row.get("reason", "")) for row in rows}


def all_of(rows, result):
    return {rule: reason for rule, (which, reason) in rows.items() if which == result}


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def passes(*args, skipped):
    """It fails nothing, and skips no more than this."""
    rows = results(*args)
    assert all_of(rows, "fail") == {}
    assert set(all_of(rows, "skip")) == skipped


NO_SECRET = {"options.secrets"}
NO_CHECK = {"options.check"}
NO_REOPEN = {"life.reopen"}
WRITES = {"stop.busy"}
CANNOT_FAIL = {"sink.order"}


def test_http():
    passes(PLUGINS / "http.so", "listen=127.0.0.1:0", "event=type:t", "token=conform-token", "--feed",
           "curl -sf -H 'Authorization: Bearer conform-token' -d '{}' http://127.0.0.1:{port}/",
           skipped=NO_REOPEN | {"source.resumes"})


def test_webhook(receiver):
    passes(PLUGINS / "webhook.so", "url=" + receiver.url(), "--failing", "url=http://127.0.0.1:1/",
           skipped=NO_SECRET | NO_REOPEN | CANNOT_FAIL)


def test_syslog():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        passes(PLUGINS / "syslog.so", "target=udp:127.0.0.1:%d" % daemon.getsockname()[1],
               "--failing", "target=udp:127.0.0.1:1", skipped=NO_SECRET | WRITES)


def test_file(tmp_path):
    passes(PLUGINS / "file.so", "path=%s/out" % tmp_path,
           skipped=NO_SECRET | WRITES | CANNOT_FAIL | {"life.two"})


def test_fifo(fifo):
    passes(FIFO, "path=%s" % fifo, "--feed", "printf 'one\\ntwo\\n' >{path}",
           skipped=NO_SECRET | NO_CHECK | NO_REOPEN |
           {"source.acknowledges", "source.refuses", "source.resumes"})
