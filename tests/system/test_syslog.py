"""The syslog sink against real rsyslogd: both formats, both ways, and rsyslogd gone."""

import json
import re

import pytest

from harness import curl, wait_until

CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = x
[sink usage]
plugin = syslog
%s
[route all]
to = usage
"""


@pytest.fixture
def usage(patchbay):
    """usage(option=…): a daemon that sends what it is POSTed to syslog."""
    def make(**options):
        return patchbay(CONFIG % "".join("%s = %s\n" % pair for pair in options.items()))
    return make


def post(daemon, body, *options):
    answer = curl(daemon.url("hooks"), *options, data=body)
    assert answer.status == 202
    return answer.json()["id"]


def lane(daemon):
    return next(row for row in daemon.status() if row["type"] == "lane")


def sink(daemon):
    return next(row for row in daemon.status() if row.get("kind") == "sink")


@pytest.mark.parametrize("way", ["unix", "udp"])
@pytest.mark.parametrize("format", ["rfc5424", "rfc3164"])
def test_a_message_is_read_as_it_was_meant(usage, rsyslogd, way, format):
    syslog = rsyslogd()
    local = "unix:%s" % (syslog.socket5424 if format == "rfc5424" else syslog.socket)
    target = local if way == "unix" else "udp:127.0.0.1:%d" % syslog.udp
    daemon = usage(target=target, format=format, facility="local3", severity="warning",
                   app_name="studio")
    event_id = post(daemon, b'{"event": "x"}')
    line = syslog.wait(1)[0]
    pri, time, host, app, pid, msgid, rest = line.split(" ", 6)
    assert (pri, app, pid) == ("<156>1", "studio", str(daemon.pid))
    assert rest.endswith('{"event": "x"}')
    if format == "rfc5424":
        assert msgid == "x"
        assert '[patchbay@32473 id="%s" type="x" source="hooks"' % event_id in rest
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", time)


def test_the_default_is_read_right_by_a_socket_as_debian_has_it(usage, rsyslogd):
    syslog = rsyslogd()
    daemon = usage(target="unix:%s" % syslog.socket)
    post(daemon, b'{"event": "x"}')
    line = syslog.wait(1)[0]
    assert line.startswith("<14>1 ")
    assert " patchbay %d " % daemon.pid in line and line.endswith('{"event": "x"}')


def test_no_event_forges_a_line(usage, rsyslogd):
    syslog = rsyslogd()
    daemon = usage(target="udp:127.0.0.1:%d" % syslog.udp)
    post(daemon, b'line\n<0>1 - forged - - - - too\r\n\x00\x1b[2J \xff',
         "-H", "content-type: text/plain")
    post(daemon, b"end")
    lines = syslog.wait(2)
    assert len(lines) == 2
    assert lines[0].endswith(r"line#012<0>1 - forged - - - - too#015#012#000#033[2J #377")


def test_order_is_kept(usage, rsyslogd):
    syslog = rsyslogd()
    daemon = usage(target="unix:%s" % syslog.socket)
    ids = [post(daemon, json.dumps({"n": n})) for n in range(200)]
    assert len(ids) == 200
    lines = syslog.wait(200)
    assert [int(re.search(r'"n": (\d+)', line).group(1)) for line in lines] == list(range(200))


def test_a_long_body_is_cut_where_it_shows(usage, rsyslogd):
    syslog = rsyslogd()
    daemon = usage(target="udp:127.0.0.1:%d" % syslog.udp, max_message="1KiB")
    post(daemon, ("ä" * 5000).encode(), "-H", "content-type: text/plain")
    line = syslog.wait(1)[0]
    assert line.endswith("ä...[cut]") and 900 < len(line.encode()) < 1200


def test_rsyslogd_goes_and_comes_back(usage, rsyslogd):
    syslog = rsyslogd()
    daemon = usage(target="unix:%s" % syslog.socket)
    post(daemon, b'"before"')
    syslog.wait(1, "before")
    syslog.kill()
    post(daemon, b'"meanwhile 1"')
    post(daemon, b'"meanwhile 2"')
    wait_until(lambda: "Connection refused" in sink(daemon)["last_failure"], what="a failure")
    assert sink(daemon)["state"] == "down"
    syslog.socket.unlink(missing_ok=True)
    syslog.start()
    lines = syslog.wait(3, timeout=40)
    assert [line.rpartition(": ")[2].rpartition(" - ")[2].split('"')[1] for line in lines] == [
        "before", "meanwhile 1", "meanwhile 2"]
    wait_until(lambda: lane(daemon)["delivered"] == 3)


def test_nobody_listens_on_udp(usage, rsyslogd):
    syslog = rsyslogd()
    daemon = usage(target="udp:127.0.0.1:%d" % syslog.udp)
    post(daemon, b"1")
    syslog.wait(1)
    syslog.kill()

    def refused():
        post(daemon, b"2")  # what is sent before the refusal has come back is lost
        return "Connection refused" in sink(daemon)["last_failure"]
    wait_until(refused, what="a failure")


@pytest.mark.parametrize("option, error", [
    ("target = tcp:h.test:514", "[sink usage] target: expected unix:/PATH or udp:HOST:PORT"),
    ("facility = local9", "[sink usage] facility: "),
    ("app_name = two words", "[sink usage] app_name: expected 1 to 48 visible ASCII characters"),
])
def test_check_names_what_is_wrong(patchbay, option, error):
    done = patchbay(CONFIG % option, start=False).command("check")
    assert done.returncode == 1 and error in done.stderr
