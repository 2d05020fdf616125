"""The file sink: what it writes, real logrotate, a full disk, and lines that a crash tore."""

import json
import os
import signal
import subprocess

import pytest

from harness import curl, lines, objects, read, tool, wait_until

CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = x
[sink out]
plugin = file
path = %(path)s
%(more)s
[route all]
to = out
"""


@pytest.fixture
def archive(folder, patchbay):
    """archive(path, option=…): a daemon that keeps what it is POSTed in a file."""
    def make(path=None, limits=None, start=True, **options):
        path = path or folder / "out.jsonl"
        more = "".join("%s = %s\n" % pair for pair in options.items())
        daemon = patchbay(CONFIG % {"path": path, "more": more}, limits=limits, start=start)
        daemon.out = path
        return daemon
    return make


@pytest.fixture
def small_disk(folder):
    """A file system of 64 KiB."""
    place = folder / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", place],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here: %s" % mounted.stderr.decode().strip())
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def post(daemon, body, *options):
    answer = curl(daemon.url("hooks"), *options, data=body)
    assert answer.status == 202
    return answer.json()["id"]


def sink(daemon):
    return next(row for row in daemon.status() if row.get("kind") == "sink")


def wait_lines(path, count, timeout=20):
    return wait_until(lambda: len(lines(path)) >= count and lines(path), timeout,
                      "%d lines" % count)


def test_json(archive):
    daemon = archive()
    bodies = [(b'{"a": [1,\n 2]}', "application/json", {"data": {"a": [1, 2]}}),
              ("two\nlines ä".encode(), "text/plain", {"data": "two\nlines ä"}),
              (b"\xff\x00", "application/octet-stream", {"data_base64": "/wA="})]
    ids = [post(daemon, body, "-H", "content-type: " + kind) for body, kind, _ in bodies]
    wait_lines(daemon.out, 3)
    for event, event_id, (_, kind, data) in zip(objects(daemon.out), ids, bodies):
        assert {name: event[name] for name in event if name.startswith("data") and
                name != "datacontenttype"} == data
        assert (event["specversion"], event["id"], event["type"], event["source"]) == (
            "1.0", event_id, "x", "hooks")
        assert kind in event["datacontenttype"]
        assert event["time"].endswith("Z")
    assert os.stat(daemon.out).st_mode & 0o777 == 0o640


def test_raw(archive):
    daemon = archive(format="raw", mode="0600")
    post(daemon, b"one")
    post(daemon, b"\xff\x00two")
    wait_lines(daemon.out, 2)
    assert read(daemon.out) == b"one\n\xff\x00two\n"
    assert os.stat(daemon.out).st_mode & 0o777 == 0o600


def test_logrotate(archive, folder):
    daemon = archive()
    (folder / "rotate.conf").write_text(
        "%s {\n rotate 9\n nocompress\n nocreate\n missingok\n"
        " postrotate\n  kill -HUP %d\n endscript\n}\n" % (daemon.out, daemon.pid))
    sent = []
    for turn in range(3):
        sent += [post(daemon, json.dumps({"turn": turn, "n": n})) for n in range(20)]
        # some may be on their way: none may get lost between the old file and the new
        subprocess.run([tool("logrotate"), "-f", "-s", folder / "rotate.state",
                        folder / "rotate.conf"], check=True)
        sent.append(post(daemon, json.dumps({"turn": turn, "last": True})))
        wait_until(lambda: lines(daemon.out), what="the new file is written to")
    files = [daemon.out] + [folder / ("out.jsonl.%d" % n) for n in (1, 2, 3)]
    wait_until(lambda: sum(len(lines(f)) for f in files) >= len(sent), what="all lines")
    assert [event["id"] for f in reversed(files) for event in objects(f)] == sent
    assert read(daemon.out).endswith(b"\n")


def test_a_full_disk_and_space_again(archive, small_disk):
    daemon = archive(small_disk / "out.jsonl")
    sent = [post(daemon, json.dumps({"n": n, "fill": "x" * 1500})) for n in range(60)]
    wait_until(lambda: "No space left on device" in sink(daemon)["last_failure"], what="it is full")
    assert sink(daemon)["state"] == "down"
    kept = objects(daemon.out)
    assert 20 < len(kept) < 60
    assert read(daemon.out).endswith(b"\n")
    sent.append(post(daemon, b'{"n":"still accepted"}'))
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    wait_until(lambda: len(lines(daemon.out)) >= len(sent), timeout=60, what="the rest arrives")
    assert [event["id"] for event in objects(daemon.out)] == sent


def test_a_torn_last_line(archive, folder):
    daemon = archive(start=False)
    daemon.out.write_bytes(b'{"id":"whole"}\n{"id":"to')
    daemon.start()
    daemon.wait_log("cut off 9 bytes of a torn last line")
    event_id = post(daemon, b"{}")
    wait_lines(daemon.out, 2)
    assert [event["id"] for event in objects(daemon.out)] == ["whole", event_id]


def test_a_file_that_is_not_ours(archive, folder):
    path = folder / "notes"
    path.write_bytes(b"first\nno end")
    daemon = archive(path, start=False)
    daemon.start(wait=False)
    assert daemon.ended() == 1
    assert "its last line has no end and is none of this sink's" in daemon.log
    assert path.read_bytes() == b"first\nno end"


def test_a_kill_leaves_whole_lines(archive):
    daemon = archive()
    sent = set()
    for _ in range(5):
        sent |= {post(daemon, json.dumps({"fill": "x" * 3000})) for _ in range(20)}
        daemon.kill()
        daemon.start()
    wait_until(lambda: {event["id"] for event in objects(daemon.out)} == sent, what="all arrived")
    assert read(daemon.out).endswith(b"\n")


def test_sighup_when_the_folder_is_gone(archive, folder):
    place = folder / "logs"
    place.mkdir()
    daemon = archive(place / "out")
    post(daemon, b"1")
    wait_lines(place / "out", 1)
    place.rename(folder / "moved")
    daemon.send(signal.SIGHUP)
    daemon.wait_log("cannot make: No such file or directory")
    post(daemon, b"2")
    place.mkdir()
    assert json.loads(wait_lines(place / "out", 1, timeout=40)[0])["data"] == 2


@pytest.mark.parametrize("more, error", [
    ("mode = 0888", "[sink out] mode: expected three octal digits"),
    ("format = xml", "[sink out] format: "),
])
def test_check_names_what_is_wrong(patchbay, more, error):
    done = patchbay(CONFIG % {"path": "/tmp/x", "more": more}, start=False).command("check")
    assert done.returncode == 1 and error in done.stderr
