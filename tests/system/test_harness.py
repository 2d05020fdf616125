"""The counterparts do what the scenarios rely on."""

import socket

from harness import curl


def test_nginx_shows_what_it_was_sent(nginx):
    server = nginx(answers={"/busy": 503})
    body = b'{"a": "\\"quoted\\" \xc3\xa4"}\n'
    assert curl(server.url("/x"), "-H", "webhook-id: 7", data=body).status == 204
    assert curl(server.url("/busy"), data="{}").status == 503
    first, second = server.wait(2)
    assert (first["method"], first["path"], first["id"]) == ("POST", "/x", "7")
    assert first["body"].encode() == body
    assert first["type"] == "application/json"
    assert second["status"] == "503"


def test_rsyslogd_takes_unix_and_udp(rsyslogd):
    syslog = rsyslogd()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b'<134>1 2026-01-02T03:04:05.678Z h app - m1 [p@1 a="b"] one',
                 str(syslog.socket5424))
        s.sendto(b"<134>Jan  2 03:04:05 app[7]: three", str(syslog.socket))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"<134>1 2026-01-02T03:04:05.678Z h app - m2 - two", ("127.0.0.1", syslog.udp))
    one, three, two = sorted(syslog.wait(3), key=lambda line: line.rsplit(" ", 1)[1])
    assert one == '<134>1 2026-01-02T03:04:05.678Z h app - m1 [p@1 a="b"] one'
    assert three.startswith("<134>1 ") and three.endswith(" app 7 - -  three")
    assert two.endswith(" m2 - two")


def test_receiver_answers_as_told(receiver):
    statuses = iter([500, (429, {"retry-after": "3"}, b"slow"), 204])
    server = receiver(lambda request: next(statuses))
    answers = [curl(server.url("/%d" % i), data="{}") for i in range(3)]
    assert [a.status for a in answers] == [500, 429, 204]
    assert answers[1].headers["retry-after"] == "3" and answers[1].body == b"slow"
    assert [r.path for r in server.wait(3)] == ["/0", "/1", "/2"]
