"""What is counted and measured, and how old what waits is: `patchbay status --prometheus` and `--ages`."""

import json
import re
import shutil
import subprocess

import pytest

from engine import HTTP, engine, sink  # noqa: F401  (a fixture)
from harness import wait_until

FEW = "max_in_flight = 1\nbreaker_pause = 10s"


def page(bay):
    """The page as text, and as {series: value}; each metric is in one piece, each series is there once."""
    done = bay.daemon.command("status", "--prometheus")
    assert done.returncode == 0 and done.stderr == ""
    values, heads = {}, []
    for line in done.stdout.splitlines():
        if line.startswith("#"):
            heads.append(line.split()[2])
            continue
        series, _, value = line.rpartition(" ")
        assert series not in values and series.startswith(heads[-1])
        values[series] = float(value)
    assert len(heads) == 2 * len(set(heads))
    return done.stdout, values


def ages(bay):
    done = bay.daemon.command("status", "--ages", "--json")
    assert done.returncode == 0, done.stderr
    return {o["route"]: o for o in map(json.loads, done.stdout.splitlines())}


def promtool(text):
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                          text=True, timeout=30, check=False)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_has_no_complaint(engine):
    bay = engine(HTTP + "workers = 2\n" + sink("one", options="retry = none")
                 + sink("two", route="other", filters="pass")
                 + "\n[filter pass]\nplugin = probe_filter\n")
    bay.post(answer="ok")
    bay.post(answer="reject")
    wait_until(lambda: page(bay)[1]['patchbay_sink_delivered_total{sink="one"}'] == 1)
    text, _ = page(bay)
    done = promtool(text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert promtool(text.replace("_saves_total", "_saves")).returncode != 0     # it can say no


def test_what_happened_is_counted(engine):
    bay = engine(HTTP + sink("out", options="retry = none") + "events = count.*\n")
    for answer in ("ok", "ok", "reject", "retry"):
        bay.post(event="count.it", answer=answer)
    bay.post(event="other")
    settled = {'patchbay_lane_died_total{route="all",sink="out",reason="rejected"}': 1,
               'patchbay_lane_died_total{route="all",sink="out",reason="exhausted"}': 1,
               'patchbay_lane_delivered_total{route="all",sink="out"}': 2}
    wait_until(lambda: settled.items() <= page(bay)[1].items())
    text, values = page(bay)
    assert values['patchbay_source_accepted_total{source="in"}'] == 5
    assert values['patchbay_discarded_total{reason="unrouted"}'] == 1
    assert values['patchbay_discarded_total{reason="rejected"}'] == 1
    assert values['patchbay_sink_answers_total{sink="out",answer="ok"}'] == 2
    assert values['patchbay_sink_answers_total{sink="out",answer="retry"}'] == 1
    assert values['patchbay_sink_state{sink="out",state="running"}'] == 1
    assert values['patchbay_lane_dead_letters{route="all",sink="out"}'] == 2
    assert values['patchbay_sink_delivery_seconds_count{sink="out"}'] == 2
    assert values['patchbay_sink_attempt_seconds_count{sink="out"}'] == 4
    assert values["patchbay_commit_events_sum"] == 5
    assert 0 < values["patchbay_commit_seconds_sum"] < 60
    assert values["patchbay_commit_bytes_sum"] < values["patchbay_journal_bytes"]
    assert values['patchbay_http_accepted_total{source="in"}'] == 5
    for name in re.findall(r"^# TYPE (\S+) counter$", text, re.M):
        assert name.endswith("_total")
    for name in re.findall(r"^# TYPE (\S+) gauge$", text, re.M):
        assert not name.endswith("_total")


def test_buckets_only_grow(engine):
    bay = engine(HTTP + sink("out"))
    bay.wait_delivered([bay.post() for _ in range(20)])
    _, values = page(bay)
    for name in ("patchbay_commit_seconds", "patchbay_commit_bytes", "patchbay_sink_delivery_seconds"):
        buckets = [v for s, v in values.items() if s.startswith(name + "_bucket")]
        [count] = [v for s, v in values.items() if s.startswith(name + "_count")]
        assert buckets == sorted(buckets) and buckets[-1] == count > 0


def test_a_sink_that_is_down_shows_what_waits(engine):
    bay = engine(HTTP + sink("out", options=FEW), core="max_size = 64MiB")
    for _ in range(100):
        bay.post(answer="down")
    wait_until(lambda: page(bay)[1]['patchbay_sink_state{sink="out",state="down"}'] == 1)
    [lane] = ages(bay).values()
    assert lane["total"] == 100 and lane["counts"] == [100] + [0] * 8
    assert lane["limits_ms"] == [300000 * 2 ** i for i in range(8)]
    assert not lane["estimated"] and not lane["own_time"]
    _, values = page(bay)
    assert values['patchbay_sink_breaker_opened_total{sink="out"}'] == 1
    assert values['patchbay_lane_behind{route="all",sink="out"}'] == 100
    assert 0 < values['patchbay_lane_oldest_age_seconds{route="all",sink="out"}'] < 300

    bay.restart()
    [lane] = ages(bay).values()
    assert lane["total"] == 100 and lane["own_time"]
    assert lane["oldest_ms"] < 300000


def test_people_get_a_table_of_ages(engine):
    bay = engine(HTTP + sink("out", options=FEW) + sink("fine", route="other"))
    for _ in range(3):
        bay.post(answer="down")
    wait_until(lambda: ages(bay)["all"]["total"] == 3)
    done = bay.daemon.command("status", "--ages")
    assert done.returncode == 0 and done.stderr == ""
    head, first, _, last = done.stdout.splitlines()
    assert head.split() == "LANE TOTAL 5m 10m 20m 40m 80m 160m 320m 640m OLDER OLDEST".split()
    assert first.split()[:5] == "all -> out 3 3".split()
    assert last.startswith("all lanes ")


@pytest.mark.parametrize("options", [("--age",), ("--ages", "--prometheus"), ("x",)])
def test_usage(engine, options):
    bay = engine(HTTP + sink("out"), start=False)
    done = bay.daemon.command("status", *options)
    assert done.returncode == 2 and "--ages" in done.stderr


def test_no_daemon_no_page(engine):
    bay = engine(HTTP + sink("out"), start=False)
    for option in ("--ages", "--prometheus"):
        done = bay.daemon.command("status", option)
        assert done.returncode == 3 and done.stdout == ""
