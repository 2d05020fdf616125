"""The webhook sink: what a receiver is sent, and what becomes of each way it answers."""

import ssl
import subprocess
import threading
import time

import pytest

from harness import Process, accepts, curl, free_port, tool, wait_until

CONFIG = """
[source hooks]
plugin = http
listen = 127.0.0.1:0
event = x
%s
[route all]
to = %s
"""


@pytest.fixture
def hooks(patchbay):
    """hooks(name={option: value}): a daemon with a webhook sink for each."""
    def make(core="", **sinks):
        text = ""
        for name, options in sinks.items():
            text += "[sink %s]\nplugin = webhook\n" % name
            text += "".join("%s = %s\n" % pair for pair in options.items())
        return patchbay(core + CONFIG % (text, ", ".join(sinks)))
    return make


def post(daemon, body=b"{}", *options):
    answer = curl(daemon.url("hooks"), *options, data=body)
    assert answer.status == 202
    return answer.json()["id"]


def sink(daemon, name):
    return next(row for row in daemon.status() if row.get("kind") == "sink" and row["name"] == name)


def lane(daemon, name):
    return next(row for row in daemon.status() if row["type"] == "lane" and row["sink"] == name)


def failure(daemon, name, timeout=20):
    """What the sink says of its last failed attempt, once there is one."""
    return wait_until(lambda: sink(daemon, name)["last_failure"], timeout, "a failure of " + name)


def dead(daemon, name, count=1):
    wait_until(lambda: lane(daemon, name)["dead"] == count, what="%d dead of %s" % (count, name))


def test_what_nginx_is_sent(hooks, nginx):
    receiver = nginx()
    daemon = hooks(team={"url": receiver.url("/in?a=b"),
                         "headers": '"X-Test: one, two", "X-Other:"'})
    body = '{"event": "x",\r\n  "text": "ä €  "}\n'.encode()
    before = int(time.time())
    event_id = post(daemon, body, "-H", "content-type: application/cloudevents+x; a=b")
    request = receiver.wait(1)[0]
    assert request["body"].encode() == body
    assert (request["method"], request["path"], request["id"]) == ("POST", "/in?a=b", event_id)
    assert "application/cloudevents+x; a=b" in request["type"]
    assert request["agent"] == "patchbay/" + daemon.command("--version").stdout.split()[-1]
    assert request["x"] == "one, two"
    assert before <= int(request["timestamp"]) <= time.time()


def test_a_binary_body_arrives_as_it_is(hooks, receiver):
    there = receiver()
    daemon = hooks(team={"url": there.url()})
    body = bytes(range(256)) * 1000
    post(daemon, body, "-H", "content-type: application/octet-stream")
    assert there.wait(1)[0].body == body


def test_connections_are_kept(hooks, nginx):
    receiver = nginx()
    daemon = hooks(team={"url": receiver.url(), "max_in_flight": 1})
    for _ in range(20):
        post(daemon)
    assert len({request["connection"] for request in receiver.wait(20)}) == 1


def test_a_failed_attempt_comes_again_with_the_same_id(hooks, receiver):
    answers = [503, 429, 204]
    there = receiver(lambda request: answers.pop(0))
    daemon = hooks(team={"url": there.url(), "retry": "50ms, 50ms, 50ms"})
    event_id = post(daemon)
    assert [r.headers["webhook-id"] for r in there.wait(3)] == [event_id] * 3
    wait_until(lambda: lane(daemon, "team")["delivered"] == 1)
    assert answers == []


def test_retry_after_is_honoured(hooks, receiver):
    answers = [(503, {"retry-after": "1"}, b"busy"), 204]
    there = receiver(lambda request: answers.pop(0))
    daemon = hooks(team={"url": there.url(), "retry": "1ms"})
    post(daemon)
    first, second = there.wait(2)
    assert second.time - first.time >= 0.95


def test_what_is_refused_is_dead_at_once(hooks, receiver):
    there = receiver(lambda request: {b"1": 400, b"2": (302, {"location": "/x"}, b"")}.get(
        request.body, 204))
    daemon = hooks(team={"url": there.url(), "retry": "1ms"})
    for body in (b"1", b"2", b"3"):
        post(daemon, body)
    dead(daemon, "team", 2)
    wait_until(lambda: lane(daemon, "team")["delivered"] == 1)
    assert sorted(r.body for r in there.requests) == [b"1", b"2", b"3"]
    assert {r.path for r in there.requests} == {"/"}


@pytest.mark.parametrize("host, reason", [
    ("127.0.0.1:%d", "cannot connect: Connection refused"),
    ("no-such-host.invalid:%d", "cannot resolve the name"),
])
def test_no_receiver(hooks, host, reason):
    daemon = hooks(team={"url": "http://" + host % free_port(), "retry": "1h"})
    post(daemon)
    assert reason in failure(daemon, "team")
    assert lane(daemon, "team")["dead"] == 0


def test_a_receiver_that_does_not_answer(hooks, receiver):
    done = threading.Event()
    there = receiver(lambda request: done.wait(60) and 204)
    daemon = hooks(team={"url": there.url(), "timeout": "300ms", "retry": "1h"})
    post(daemon)
    assert failure(daemon, "team") == "no answer within 300ms: waiting for the answer"
    done.set()


def test_one_hanging_receiver_holds_up_no_other(hooks, receiver, nginx):
    done = threading.Event()
    stuck, well = receiver(lambda request: done.wait(60) and 204), nginx()
    daemon = hooks(stuck={"url": stuck.url(), "max_in_flight": 4}, well={"url": well.url()})
    for _ in range(50):
        post(daemon)
    well.wait(50)
    stuck.wait(4)
    assert lane(daemon, "stuck")["delivered"] == 0
    done.set()
    stuck.wait(50)


def test_what_hangs_at_the_stop_comes_again_after_the_start(hooks, folder, receiver):
    done = threading.Event()
    there = receiver(lambda request: done.wait(60) and 204)
    core = "[patchbay]\nstate = %s/state\nshutdown_timeout = 300ms\n" % folder
    daemon = hooks(core, team={"url": there.url(), "retry": "1ms"})
    event_id = post(daemon)
    there.wait(1)
    daemon.stop()
    done.set()
    daemon.start()
    assert [r.headers["webhook-id"] for r in there.wait(2)] == [event_id] * 2


class Tls(Process):
    """nginx with a certificate of its own making for localhost."""

    CONFIG = """
        worker_processes 1; daemon off; master_process off; pid %(dir)s/tls.pid;
        error_log %(dir)s/tls.err; events { worker_connections 64; }
        http {
            client_body_temp_path %(dir)s/t.b; proxy_temp_path %(dir)s/t.p; access_log off;
            fastcgi_temp_path %(dir)s/t.f; uwsgi_temp_path %(dir)s/t.u; scgi_temp_path %(dir)s/t.s;
            ssl_certificate %(dir)s/tls.crt; ssl_certificate_key %(dir)s/tls.key;
            server { listen 127.0.0.1:%(port)d ssl; location / { return 204; } }
        }
    """

    def __init__(self, folder):
        self.port, self.certificate = free_port(), folder / "tls.crt"
        subprocess.run([tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", folder / "tls.key", "-out", self.certificate],
                       check=True, capture_output=True)
        (folder / "tls.conf").write_text(self.CONFIG % {"dir": folder, "port": self.port})
        super().__init__(folder, "tls", [tool("nginx"), "-c", folder / "tls.conf", "-e",
                                         folder / "tls.err"])

    def start(self):
        super().start()
        wait_until(lambda: accepts(self.port), what="nginx listens\n" + self.log)
        return self


@pytest.fixture
def tls(folder):
    server = Tls(folder).start()
    yield server
    server.kill()


def test_certificates_are_verified(hooks, tls):
    daemon = hooks(stranger={"url": "https://localhost:%d/" % tls.port, "retry": "1h"})
    post(daemon)
    assert failure(daemon, "stranger").startswith("TLS verification failed: ")
    assert "self-signed certificate" in failure(daemon, "stranger")


def test_a_trusted_certificate_and_the_wrong_name(patchbay, tls):
    """In a mount namespace in which the test's certificate is the only one that is trusted."""
    trust = ("unshare", "-m", "sh", "-c",
             'mount --bind "$0" /etc/ssl/certs/ca-certificates.crt && exec "$@"', tls.certificate)
    if subprocess.run([*trust, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    text = "".join("[sink %s]\nplugin = webhook\nurl = https://%s:%d/\nretry = 1h\n"
                   % (name, host, tls.port)
                   for name, host in (("right", "localhost"), ("wrong", "127.0.0.1")))
    daemon = patchbay(CONFIG % (text, "right, wrong"), wrap=trust)
    post(daemon)
    wait_until(lambda: lane(daemon, "right")["delivered"] == 1, what="delivery over TLS")
    assert failure(daemon, "wrong").startswith("TLS verification failed: ")
    assert "127.0.0.1" in failure(daemon, "wrong")


def test_proxies_of_the_environment_are_not_used(patchbay, receiver):
    there = receiver()
    sink = "[sink team]\nplugin = webhook\nurl = %s\n" % there.url("/direct")
    daemon = patchbay(CONFIG % (sink, "team"),
                      env={"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"})
    post(daemon)
    assert there.wait(1)[0].path == "/direct"


def test_check_names_what_is_wrong(patchbay):
    daemon = patchbay(CONFIG % (
        '[sink team]\nplugin = webhook\nurl = https://me:pa55word@h.test/\n'
        'headers = "Authorization: s3cret", "no-colon-s3cret"\n', "team"), start=False)
    done = daemon.command("check")
    assert done.returncode == 1
    assert "[sink team] url: holds a user name or password" in done.stderr
    assert "[sink team] headers: header 2 is not of the form" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr and "pa55word" not in done.stdout + done.stderr
