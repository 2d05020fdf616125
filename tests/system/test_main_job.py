"""The main job: etc/analyst-studio.ini as it is installed, but for its paths and ports."""

import json
from pathlib import Path

import pytest

from harness import curl, lines, objects, wait_until

TOP = Path(__file__).parents[2]
SAMPLES = sorted((TOP / "etc/events").glob("*.json"))
TOKEN = "a-long-random-word"


@pytest.fixture
def job(folder, patchbay, nginx, rsyslogd):
    """The daemon with its counterparts as attributes."""
    receiver, syslog = nginx(), rsyslogd()
    (folder / "studio.token").write_text(TOKEN)
    (folder / "studio.token").chmod(0o600)
    config = (TOP / "etc/analyst-studio.ini").read_text()
    for installed, here in (
        ("/var/lib/patchbay", folder / "state"),
        ("/var/log/patchbay", folder),
        ("/etc/patchbay/studio.token", folder / "studio.token"),
        ("unix:/dev/log", "unix:%s" % syslog.socket),
        ("127.0.0.1:8090", "127.0.0.1:%d" % receiver.port),
        ("127.0.0.1:8080", "127.0.0.1:0"),
    ):
        assert installed in config
        config = config.replace(installed, str(here))
    daemon = patchbay(config)
    daemon.receiver, daemon.syslog = receiver, syslog
    daemon.archive = folder / "analyst-studio.jsonl"
    return daemon


def send(job, body):
    return curl(job.url("studio"), "-H", "authorization: Bearer " + TOKEN, data=body)


def send_samples(job):
    """POST the eight samples; the ids by event type."""
    ids = {}
    for sample in SAMPLES:
        answer = send(job, sample.read_bytes())
        assert answer.status == 202
        ids[sample.stem] = answer.json()["id"]
    return ids


def test_there_is_a_sample_of_each_event():
    assert [sample.stem for sample in SAMPLES] == [
        "definition_created", "definition_updated", "member_joined_organization",
        "member_removed_from_organization", "new_database_connection", "report_created",
        "report_run_completed", "report_run_started"]
    for sample in SAMPLES:
        body = json.loads(sample.read_text())
        assert body.pop("event") == sample.stem
        assert len(body) == 1 and next(iter(body)).endswith("_url")


def test_each_event_arrives_where_it_belongs(job):
    ids = send_samples(job)

    wait_until(lambda: len(lines(job.archive)) >= 8, what="the file has all")
    kept = {event["type"]: event for event in objects(job.archive)}
    assert {name: event["id"] for name, event in kept.items()} == ids
    for sample in SAMPLES:
        event = kept[sample.stem]
        assert event["data"] == json.loads(sample.read_text())
        assert (event["specversion"], event["source"]) == ("1.0", "studio")

    usage = job.syslog.wait(8, " analyst-studio ")
    assert all(line.startswith("<134>1 ") for line in usage)
    for sample in SAMPLES:
        body = sample.read_text().strip()
        assert len([line for line in usage if body in line]) == 1

    reports = job.receiver.wait(3)
    assert sorted(r["id"] for r in reports) == sorted(
        event_id for name, event_id in ids.items() if name.startswith("report_"))
    bodies = {json.loads(r["body"])["event"]: r["body"] for r in reports}
    for name, body in bodies.items():
        assert body == (TOP / "etc/events" / (name + ".json")).read_text()

    job.stop()
    assert (len(lines(job.archive)), len(job.syslog.lines), len(job.receiver.requests)) == (8, 8, 3)


def test_a_restart_repeats_nothing(job):
    send_samples(job)
    wait_until(lambda: len(lines(job.archive)) >= 8, what="the file has all")
    job.syslog.wait(8)
    job.receiver.wait(3)
    job.stop()
    job.start()
    assert send(job, '{"event":"report_created"}').status == 202
    job.receiver.wait(4)
    job.syslog.wait(9)
    job.stop()
    assert (len(lines(job.archive)), len(job.syslog.lines), len(job.receiver.requests)) == (9, 9, 4)


def test_what_was_accepted_before_a_kill_arrives(job):
    job.receiver.kill()
    ids = send_samples(job)
    job.kill()
    job.receiver.start()
    job.start()
    expected = {event_id for name, event_id in ids.items() if name.startswith("report_")}
    wait_until(lambda: {r["id"] for r in job.receiver.requests} == expected, timeout=30,
               what="the receiver has all")
    wait_until(lambda: {e["id"] for e in objects(job.archive)} == set(ids.values()),
               what="the file has all")


def test_strangers_are_refused(job):
    body = SAMPLES[0].read_bytes()
    assert curl(job.url("studio"), data=body).status == 401
    assert curl(job.url("studio"), "-H", "authorization: Bearer wrong", data=body).status == 401
    assert send(job, b"not JSON").status == 400
    assert curl(job.url("studio"), "-X", "GET").status == 405
    job.stop()
    assert lines(job.archive) == []


def test_check_finds_the_installed_file_right(job):
    done = job.command("check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
