"""Receivers that misbehave: each harms its own deliveries only, and holds up neither others nor the daemon's end."""

import email.utils
import select
import socket
import threading
import time

import pytest

from harness import SLOW, read, wait_until
from test_webhook import failure, hooks, lane, post, sink   # noqa: F401: a fixture

HEAD = b"HTTP/1.1 200 OK\r\n"


def forever(connection, piece, pace=0.0):
    """A piece every `pace` seconds, until the sender gives up."""
    while not select.select([connection], [], [], pace)[0]:
        connection.sendall(piece)


def reset(connection):
    """Half an answer, and the connection is gone the hard way."""
    connection.sendall(HEAD + b"Content-Length: 1000\r\n")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


BEHAVIOURS = {
    "silent": lambda c: c.recv(1),     # until the sender gives up
    "drip": lambda c: (c.sendall(HEAD), forever(c, b"x", 0.05)),
    "reset": reset,
    "endless_body": lambda c: (c.sendall(HEAD + b"\r\n"), forever(c, b"x" * 65536)),
    "endless_chunks": lambda c: (c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
                                 forever(c, b"1000\r\n" + b"y" * 4096 + b"\r\n")),
    "endless_headers": lambda c: (c.sendall(HEAD), forever(c, b"X-More: %s\r\n" % (b"z" * 1000))),
    "endless_line": lambda c: (c.sendall(HEAD + b"X-Long: "), forever(c, b"z" * 4096)),
    "endless_100": lambda c: forever(c, b"HTTP/1.1 100 Continue\r\n\r\n"),
    "garbage": lambda c: c.sendall(b"\x16\x03\x01\x02\x00" + bytes(range(256)) * 4),
    "closes": lambda c: None,
}
# What is said of each; those that are not here say yes before they go on without end.
REASONS = {
    "silent": "no answer within 400ms: waiting for the answer",
    "drip": "no answer within 400ms: reading the answer's header",
    "reset": "the connection was lost",
    "endless_headers": "the answer's header is too large",
    "endless_line": "a line of the answer's header is too long",
    "endless_100": "answer's header",     # is too large, or reading it takes too long
    "garbage": "the answer is not HTTP",
    "closes": "the connection was closed without an answer",
}


def asked(connection):
    """Read one request whole, so that what can be read after it is the sender's end; its path."""
    with connection.makefile("rb") as request:
        path = request.readline().split(b" ")[1].decode()
        length = 0
        for line in iter(request.readline, b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        request.read(length)
    return path


class Hostile:
    """Reads a request and does as the path says."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.accepted = {name: 0 for name in BEHAVIOURS}
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                name = asked(connection).strip("/")
                self.accepted[name] += 1
                BEHAVIOURS[name](connection)
            except (OSError, IndexError):
                pass

    def url(self, name):
        return "http://127.0.0.1:%d/%s" % (self.listener.getsockname()[1], name)


@pytest.fixture
def hostile():
    there = Hostile()
    yield there
    there.listener.close()


def rss(daemon):
    for line in read("/proc/%d/status" % daemon.pid).decode().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("the daemon has ended")


def test_each_harms_only_itself(hooks, hostile, nginx):     # noqa: F811
    well = nginx()
    sinks = {name: {"url": hostile.url(name), "timeout": "400ms", "retry": "20ms, 1h", "max_response": "1KiB",
                    "max_in_flight": 4} for name in BEHAVIOURS}
    daemon = hooks(well={"url": well.url()}, **sinks)
    post(daemon)
    well.wait(1)
    before, began = rss(daemon), time.monotonic()
    for _ in range(30):
        post(daemon)
    well.wait(31)
    took = time.monotonic() - began
    for name in BEHAVIOURS:
        if name in REASONS:
            wait_until(lambda: hostile.accepted[name] >= 2, 20, "%s is tried again" % name)     # noqa: B023
            assert REASONS[name] in failure(daemon, name)
            assert lane(daemon, name)["delivered"] == 0
        else:
            wait_until(lambda: lane(daemon, name)["delivered"] == 31, 30, "%s's yes counts" % name)    # noqa: B023
    assert took < 5 * SLOW, "a healthy sink was held up"
    if SLOW == 1:
        assert rss(daemon) - before < 32 * 1024, "what they send is not kept"
    began = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began < 15 * SLOW


def test_the_date_in_retry_after_is_honoured(hooks, receiver):      # noqa: F811
    answers = [(503, {"retry-after": email.utils.formatdate(time.time() + 3, usegmt=True)}, b""), 204]
    there = receiver(lambda request: answers.pop(0))
    daemon = hooks(team={"url": there.url(), "retry": "1ms"})
    post(daemon)
    first, second = there.wait(2, 20)
    assert 0.9 <= second.time - first.time


@pytest.mark.parametrize("value", ["99999999999999999999", "4000000000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_excessive_retry_after_is_cut(hooks, receiver, value):       # noqa: F811
    answers = [(503, {"retry-after": value}, b""), 204]
    there = receiver(lambda request: answers.pop(0))
    daemon = hooks(team={"url": there.url(), "retry": "1ms", "max_retry_after": "300ms"})
    post(daemon)
    first, second = there.wait(2, 20)
    assert 0.28 <= second.time - first.time


@pytest.mark.parametrize("value", ["-5", "soon", "", "1 2", "Fri, 99 Foo 2020 00:00:00 GMT", "0"])
def test_a_retry_after_that_says_nothing_is_passed_over(hooks, receiver, value):    # noqa: F811
    answers = [(503, {"retry-after": value}, b""), 204]
    there = receiver(lambda request: answers.pop(0))
    daemon = hooks(team={"url": there.url(), "retry": "1ms"})
    post(daemon)
    there.wait(2)
    wait_until(lambda: lane(daemon, "team")["delivered"] == 1)
