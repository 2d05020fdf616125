"""The http source: every answer it gives, what it keeps, and whom it does not wait for."""

import http.client
import json
import select
import socket
import stat
import threading
import time

import pytest

from harness import SLOW, curl, objects, wait_until

TIMEOUT = 0.5 * SLOW
CONFIG = """
[source hooks]
plugin = http
listen = %(listen)s
timeout = %(timeout)dms
%(more)s
[sink all]
plugin = file
path = %(folder)s/all.jsonl
[route all]
to = all
"""


@pytest.fixture
def serve(folder, patchbay):
    """serve(option=…): a daemon whose http source has these options."""
    def make(listen="127.0.0.1:0", timeout=20, start=True, **options):
        more = "".join("%s = %s\n" % pair for pair in options.items())
        daemon = patchbay(CONFIG % {"listen": listen, "timeout": timeout * 1000 * SLOW,
                                    "more": more, "folder": folder}, start=start)
        daemon.all = folder / "all.jsonl"
        return daemon
    return make


def address(daemon, i=0):
    host, _, port = daemon.addresses("hooks")[i].rpartition(":")
    return host.strip("[]"), int(port)


class Raw:
    """A connection on which bytes are sent as they are."""

    def __init__(self, daemon, data=b""):
        self.socket = socket.create_connection(address(daemon), timeout=20 * SLOW)
        self.left = b""
        self.send(data)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.left += data
        return len(data) > 0

    def answer(self):
        """The next answer: status, head, body."""
        while b"\r\n\r\n" not in self.left:
            assert self.more(), "closed after %r" % self.left
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        head = head.decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        while len(self.left) < length:
            assert self.more(), "closed after %r" % self.left
        body, self.left = self.left[:length], self.left[length:]
        return int(head.split()[1]), head, body

    def closed(self):
        while self.more():
            pass
        return True


def post(body=b'{"event":"ping"}', *fields, method=b"POST", target=b"/", version=b"HTTP/1.1",
         length=True, host=True):
    """A request's bytes."""
    fields = [b"Host: x"] * host + [b"Content-Length: %d" % len(body)] * length + list(fields)
    return b"\r\n".join([b" ".join([method, target, version]), *fields, b"", body])


def problem(answer, status):
    """Check an answer of curl(): RFC 9457."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == "about:blank" and told["status"] == status
    assert told["title"] and told["detail"]
    return told["detail"]


def test_kept_as_it_came(serve):
    daemon = serve()
    body = '{"event": "ping", "n": 1e2, "text": "\\u00e4ä"}'
    answer = curl(daemon.url("hooks"), "-H", "content-type: application/json; charset=utf-8",
                  "--data-binary", body)
    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    wait_until(lambda: objects(daemon.all))
    event, = objects(daemon.all)
    assert event["id"] == answer.json()["id"]
    assert event["type"] == "ping" and event["source"] == "hooks"
    assert event["datacontenttype"] == "application/json; charset=utf-8"
    assert event["data"] == json.loads(body)


@pytest.mark.parametrize("rule, fields, body, kind", [
    ("json:report.kind", [], '{"report": {"kind": "run"}}', "run"),
    ("header:X-GitHub-Event", ["x-github-event: push"], "no JSON", "push"),
    ("com.example.ping", [], "", "com.example.ping"),
    ("type:json:ping", [], "", "json:ping"),
])
def test_type(serve, rule, fields, body, kind):
    daemon = serve(event=rule)
    options = [word for field in fields for word in ("-H", field)]
    assert curl(daemon.url("hooks"), *options, data=body).status == 202
    wait_until(lambda: objects(daemon.all))
    assert objects(daemon.all)[0]["type"] == kind


@pytest.mark.parametrize("body", [
    "", "ping", '{"event": "ping"', '{"event": "ping"} x', "[]", "{}", '{"event": 5}',
    '{"event": null}', '{"event": ""}', '{"event": {"a": 1}}', '{"event": "a\\u0000b"}',
    b'{"event": "\xff"}',
])
def test_no_type_in_the_body(serve, body):
    """The sender is told which member it is about, and so is the log."""
    daemon = serve()
    told = problem(curl(daemon.url("hooks"), data=body), 400)
    assert "`event`" in told
    line = daemon.wait_log(r"info \[source hooks\] answered a request of 127\.0\.0\.1:\d+ with 400: (.*)")
    assert line.group(1) == told


def test_no_type_in_the_header(serve):
    told = problem(curl(serve(event="header:X-Event").url("hooks"), data="{}"), 400)
    assert "`X-Event`" in told


@pytest.mark.parametrize("given", [None, "Bearer guessed", "Bearer secret2", "Basic secret", "secret"])
def test_401(serve, given):
    daemon = serve(token="secret")
    fields = ["-H", "authorization: " + given] if given else []
    answer = curl(daemon.url("hooks"), *fields, data='{"event":"ping"}')
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    daemon.wait_log(r"warning \[source hooks\] refused a request of 127\.0\.0\.1:\d+: 401, ")
    assert "secret" not in daemon.log and "guessed" not in daemon.log


def test_token(serve):
    daemon = serve(token="secret")
    answer = curl(daemon.url("hooks"), "-H", "authorization: bearer secret",
                  data='{"event":"ping"}')
    assert answer.status == 202


def test_404(serve):
    daemon = serve(path="/in/hooks")
    for path in ("/", "/in", "/in/hooks/", "/in/hookss"):
        problem(curl(daemon.url("hooks", path), data='{"event":"ping"}'), 404)
    assert curl(daemon.url("hooks", "/in/hooks?a=b"), data='{"event":"ping"}').status == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PURGE"])
def test_405(serve, method):
    answer = curl(serve().url("hooks"), "-X", method)
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"


def test_411(serve):
    with Raw(serve(), post(b"", length=False)) as raw:
        assert raw.answer()[0] == 411


@pytest.mark.parametrize("more", [[], ["-H", "transfer-encoding: chunked"],
                                  ["-H", "expect: 100-continue"]])
def test_413(serve, more):
    daemon = serve(max_body="300KiB")
    body = '{"event":"ping","pad":"%s"}'
    fits = body % ("x" * (300 * 1024 - len(body) + 2))
    assert curl(daemon.url("hooks"), *more, data=fits).status == 202
    told = problem(curl(daemon.url("hooks"), *more, data=fits + " "), 413)
    assert " %d bytes" % (300 * 1024) in told
    daemon.wait_log(r"warning \[source hooks\] refused a request of 127\.0\.0\.1:\d+: 413, ")
    problem(curl(daemon.url("hooks"), *more, data=fits * 20), 413)


@pytest.mark.parametrize("coding, status", [("gzip", 415), ("br", 415), ("x", 415),
                                            ("identity", 202), ("Identity", 202)])
def test_415(serve, coding, status):
    answer = curl(serve().url("hooks"), "-H", "content-encoding: " + coding,
                  data='{"event":"ping"}')
    if status == 202:
        assert answer.status == 202
    else:
        problem(answer, status)
        assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("request_", [
    post(host=False),
    post(b"{}", b"Host: y"),
    post(b"{}", b"Content-Length: 2"),
    post(b"{}", b"Content-Length: 3"),
    post(b"{}", b"Content-Length: +2", length=False),
    post(b"{}", b"Content-Length: 2, 2", length=False),
    post(b"{}", b"Content-Length: 0x2", length=False),
    post(b"{}", b"Content-Length: 99999999999999999999", length=False),
    post(b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    post(b"{}", b"Transfer-Encoding: gzip, chunked", length=False),
    post(b"{}", b"Transfer-Encoding: identity", length=False),
    post(b"{}", b"Transfer-Encoding: chunked, chunked", length=False),
    post(b"{}", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", length=False),
    post(b"{}", b"X : y"),
    post(b"{}", b"X[: y"),
    post(b"{}", b"X: a\x01b"),
    post(method=b"PO(ST"),
    post(target=b"/\x01"),
    post(target=b"/ /"),
    post(version=b"HTTP/1.1x"),
    b"nonsense\r\n\r\n",
], ids=lambda request: repr(request[:60]))
def test_ambiguous_is_refused(serve, request_):
    """It gets a 4xx, or none where there is no telling what was asked, and the connection ends, so
    that what follows is never taken for a request."""
    daemon = serve(event="ping")
    with Raw(daemon, request_ + post()) as raw:
        assert raw.closed()
        assert raw.left == b"" or b" 4" in raw.left[:12], raw.left
        assert b" 202 " not in raw.left
    assert curl(daemon.url("hooks"), data="{}").status == 202


@pytest.mark.parametrize("length", [b"abc", b"", b"-1", b"99999999999999999999999"])
def test_length_is_no_number(serve, length):
    """One head, one problem; the next request on the connection is none."""
    daemon = serve()
    with Raw(daemon, post(b"{}", b"Content-Length: " + length, length=False) + post()) as raw:
        status, head, body = raw.answer()
        assert status == 400 and "\r\nconnection: close" in head
        assert json.loads(body)["detail"] == "Content-Length is not a number"
        assert raw.closed() and raw.left == b""
    daemon.wait_log(r"answered a request of 127\.0\.0\.1:\d+ with 400: Content-Length")
    assert curl(daemon.url("hooks"), data='{"event":"ping"}').status == 202


@pytest.mark.parametrize("start, what", [
    (b"POST / HTTP/1.1\r\nHost: x\r\n", "header"),
    (post(b"{}")[:-1], "body"),
    (post(b"", b"Transfer-Encoding: chunked", length=False) + b"5\r\nabc", "body"),
])
def test_408(serve, start, what):
    daemon = serve(timeout=TIMEOUT / SLOW)
    with Raw(daemon, start) as raw:
        status, head, body = raw.answer()
        assert status == 408 and "\r\nconnection: close" in head
        assert json.loads(body)["detail"] == "the request's %s did not come in time" % what
        assert raw.closed() and raw.left == b""
    assert " 408" not in daemon.log
    assert curl(daemon.url("hooks"), data='{"event":"ping"}').status == 202


def test_http_1_0(serve):
    with Raw(serve(), post(version=b"HTTP/1.0", host=False)) as raw:
        assert raw.answer()[0] == 202
        assert raw.closed()


def test_absolute_target(serve):
    with Raw(serve(path="/in"), post(target=b"http://x/in")) as raw:
        assert raw.answer()[0] == 202


def test_refusal_keeps_the_connection(serve):
    with Raw(serve(), post(b"{}") + post(target=b"/no") + post(b"", method=b"GET") + post()) as raw:
        assert [raw.answer()[0] for _ in range(4)] == [400, 404, 405, 202]


def test_pipelined(serve):
    """Answers come in the order of the requests, however they are cut into packets."""
    daemon = serve()
    bodies = [b'{"event":"e%d"}' % i for i in range(50)]
    data = b"".join(map(post, bodies))
    with Raw(daemon) as raw:
        for i in range(0, len(data), 701):
            raw.send(data[i:i + 701])
        ids = []
        for _ in bodies:
            status, _, body = raw.answer()
            assert status == 202
            ids.append(json.loads(body)["id"])
    wait_until(lambda: len(objects(daemon.all)) == len(bodies))
    kinds = {event["id"]: event["type"] for event in objects(daemon.all)}
    assert [kinds[i] for i in ids] == ["e%d" % i for i in range(50)]


def test_chunked(serve):
    daemon = serve()
    body = b'{"event":"ping","pad":"%s"}' % (b"x" * 5000)
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(body[i:i + 333]), body[i:i + 333])
                      for i in range(0, len(body), 333))
    head = post(b"", b"Transfer-Encoding: chunked", length=False)
    with Raw(daemon) as raw:
        for byte in head:
            raw.send(bytes([byte]))
        raw.send(chunks + b"0\r\nX-Trailer: a\r\n\r\n" + post())
        assert raw.answer()[0] == 202
        assert raw.answer()[0] == 202
    wait_until(lambda: len(objects(daemon.all)) == 2)
    assert objects(daemon.all)[0]["data"] == json.loads(body)


@pytest.mark.parametrize("chunk", [b"x\r\n", b"-1\r\n", b"fffffffffffffffff\r\n{}\r\n",
                                   b"2\r\n{}x"])
def test_broken_chunk(serve, chunk):
    head = post(b"", b"Transfer-Encoding: chunked", length=False)
    with Raw(serve(event="ping"), head + chunk + b"0\r\n\r\n" + post()) as raw:
        assert raw.closed()
        assert b" 202 " not in raw.left


@pytest.mark.parametrize("start, drip", [
    (b"", b"P"),
    (b"POST / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"x"),
    (post(b"", b"Transfer-Encoding: chunked", length=False), b"1\r\nx\r\n"),
], ids=["line", "header", "body", "chunks"])
def test_slow_sender_is_cut_off(serve, start, drip):
    """However often it sends a little; others are served meanwhile."""
    daemon = serve(timeout=TIMEOUT / SLOW)
    begun = time.monotonic()
    with Raw(daemon, start) as raw:
        with pytest.raises((BrokenPipeError, ConnectionResetError, ConnectionAbortedError)):
            while time.monotonic() < begun + 20 * TIMEOUT:
                if select.select([raw.socket], [], [], TIMEOUT / 10)[0] and not raw.more():
                    raise BrokenPipeError
                raw.send(drip)
    lasted = time.monotonic() - begun
    assert TIMEOUT * 0.9 < lasted < TIMEOUT * 6
    assert curl(daemon.url("hooks"), data='{"event":"ping"}').status == 202


def test_idle_connection_is_closed(serve):
    daemon = serve(timeout=TIMEOUT / SLOW)
    with Raw(daemon, post()) as raw:
        assert raw.answer()[0] == 202
        begun = time.monotonic()
        assert raw.closed()
        assert TIMEOUT * 0.8 < time.monotonic() - begun < TIMEOUT * 6


def test_too_many_connections(serve):
    daemon = serve(max_connections=2)
    with Raw(daemon, post()) as first, Raw(daemon, post()) as second:
        assert first.answer()[0] == second.answer()[0] == 202
        with Raw(daemon, post()) as third:
            status, head, body = third.answer()
            assert status == 503 and "\r\nretry-after: " in head
            assert json.loads(body)["status"] == 503
            assert third.closed()
        first.send(post())
        assert first.answer()[0] == 202
    wait_until(lambda: curl(daemon.url("hooks"), data='{"event":"ping"}').status == 202)


def test_far_too_many_connections(serve):
    """Those that even a 503 is not spared for wait, and are served when others have gone."""
    daemon = serve(max_connections=1, timeout=TIMEOUT / SLOW)
    crowd = [Raw(daemon) for _ in range(40)]
    with Raw(daemon) as last:
        assert crowd[0].closed()
        last.send(post())
        assert last.answer()[0] in (202, 503)
    for raw in crowd:
        raw.socket.close()
    wait_until(lambda: curl(daemon.url("hooks"), data='{"event":"ping"}').status == 202)


def test_sender_hangs_up(serve):
    """Before its request is whole, and before it has been answered: the latter is an event."""
    daemon = serve()
    for _ in range(20):
        Raw(daemon, post(b"{" * 5000)[:3000]).socket.close()
        with Raw(daemon, post()) as raw:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert curl(daemon.url("hooks"), data='{"event":"last"}').status == 202
    wait_until(lambda: "last" in {event["type"] for event in objects(daemon.all)})


def test_half_closed(serve):
    """A sender that has shut its side is answered all the same."""
    with Raw(serve(timeout=TIMEOUT / SLOW), post()) as raw:
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.answer()[0] == 202
        assert raw.closed()


def test_several_listeners(serve, folder):
    daemon = serve(listen="127.0.0.1:0, [::1]:0, unix:%s/hooks.sock" % folder)
    for where in daemon.addresses("hooks")[:2]:
        assert curl("http://%s/" % where, data='{"event":"ping"}').status == 202
    answer = curl("http://x/", "--unix-socket", str(folder / "hooks.sock"),
                  data='{"event":"ping"}')
    assert answer.status == 202
    wait_until(lambda: len(objects(daemon.all)) == 3)


@pytest.mark.parametrize("options, mode", [({}, 0o660), ({"mode": "0600"}, 0o600)])
def test_socket_file(serve, folder, options, mode):
    """Who may write to it may send; it goes with the daemon."""
    path = folder / "hooks.sock"
    daemon = serve(listen="unix:%s" % path, **options)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    problem(curl("http://x/", "--unix-socket", str(path), data="{}"), 400)
    daemon.wait_log(r"answered a request of process \d+ of user \d+ with 400")
    daemon.stop()
    assert not path.exists()


def keep_posting(daemon, seen, failures):
    """Until the connection ends."""
    connection = http.client.HTTPConnection(*address(daemon), timeout=20 * SLOW)
    try:
        while True:
            connection.request("POST", "/", b'{"event":"ping"}')
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status == 202:
                seen.append(body["id"])
            elif answer.status != 503:
                failures.append(body)
    except (OSError, http.client.HTTPException):
        connection.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_stop_under_load(serve, workers):
    """Each 202 is an event in the file, once; nobody is left without an answer for long."""
    daemon = serve(workers=workers)
    seen, failures = [], []
    senders = [threading.Thread(target=keep_posting, args=(daemon, seen, failures))
               for _ in range(16)]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(seen) >= 1000, timeout=60)
    daemon.stop()
    for sender in senders:
        sender.join(20 * SLOW)
        assert not sender.is_alive()
    assert not failures
    assert len(set(seen)) == len(seen)
    daemon.start()
    wait_until(lambda: set(seen) <= {event["id"] for event in objects(daemon.all)})


@pytest.mark.parametrize("option, value, words", [
    ("event", "json:", "json:"),
    ("event", "header:a b", "header"),
    ("event", "jsn:event", "type:TYPE"),
    ("mode", "rw", "0660"),
    ("path", "hooks", "/"),
    ("max_connections", "0", "max_connections"),
    ("listen", "", "HOST:PORT"),
    ("token", "", "empty"),
])
def test_check(serve, option, value, words):
    daemon = serve(start=False, **{option: value})
    done = daemon.command("check")
    assert done.returncode == 1
    complaint, = (done.stdout + done.stderr).splitlines()
    assert "[source hooks] %s: " % option in complaint and words in complaint
