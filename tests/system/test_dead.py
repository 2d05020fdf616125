"""`patchbay dead` and `patchbay sink` against a running daemon."""

import base64
import json
import os
import pty
import subprocess

import pytest

from engine import HTTP, SUBMIT, engine, sink  # noqa: F401 (a fixture)
from harness import SLOW, wait_until

REJECTS = HTTP + sink(options="retry = none")


def rows(bay, *args):
    done = bay.command("dead", "list", "--json", *args)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(bay, *args, expect=0):
    done = bay.command(*args)
    assert done.returncode == expect, (done.stdout, done.stderr)
    return done


def three_dead(bay):
    ids = [bay.post(event=event, answer="reject") for event in ("a", "b", "c")]
    bay.wait_lane(dead=3)
    wait_until(lambda: len(rows(bay)) == 3, what="three rows")
    return ids


def test_list_and_its_filters(engine):
    bay = engine(REJECTS)
    ids = three_dead(bay)
    listed = rows(bay)
    assert [row["id"] for row in listed] == ids
    first = listed[0]
    assert (first["type"], first["route"], first["sink"]) == ("dead", "all", "out")
    assert (first["reason"], first["attempts"], first["event_type"]) == ("rejected", 1, "a")
    assert first["last_error"] == "told to say reject" and first["configured"] is True

    def found(*args):
        return [row["event_type"] for row in rows(bay, *args)]

    assert found("--sink", "out", "--route=all") == ["a", "b", "c"]
    assert found("--type", "?", "--limit", "2") == ["a", "b"]
    assert found("--type", "b*") == ["b"]
    assert found("--id", ids[2]) == ["c"] == found(ids[2])
    assert found("--reason", "expired") == []
    assert found("--since", "1h") == ["a", "b", "c"] and found("--until", "1h") == []
    assert found("--since", "2999-01-01T00:00:00Z") == []
    table = run(bay, "dead", "list").stdout.splitlines()
    assert table[0].split()[:5] == ["DIED", "REASON", "LANE", "TYPE", "ID"]
    assert len(table) == 4 and "all -> out" in table[1] and ids[0] in table[1]
    wrong = run(bay, "dead", "list", "--sink", "nobody", expect=1)
    assert "leads to a sink nobody" in wrong.stderr


def test_show_tells_all_and_forges_nothing(engine):
    bay = engine(REJECTS)
    event = bay.post(event="evil", answer="reject", text="\x1b[31mred\x07 \u009b line")
    bay.wait_lane(dead=1)
    wait_until(lambda: rows(bay))
    shown = run(bay, "dead", "show", event).stdout
    assert shown.splitlines()[0] == event
    for word in ("rejected", "told to say reject", "first failure", "died", "body (", "evil"):
        assert word in shown
    assert "\x1b" not in shown and "\x07" not in shown
    [row] = [json.loads(line) for line in
             run(bay, "dead", "show", "--json", "--id", event).stdout.splitlines()]
    body = json.loads(base64.b64decode(row["event"]["data_base64"]))
    assert body["text"] == "\x1b[31mred\x07 \u009b line"
    assert row["event"]["id"] == event and row["event"]["specversion"] == "1.0"
    assert run(bay, "dead", "show", "nobody", expect=1).stderr == \
        "patchbay dead: no dead letter fits; `patchbay trace` knows of other events\n"
    assert "no dead letter fits\n" in run(bay, "dead", "show", "--sink", "out", "--since", "2030-01-01T00:00:00Z",
                                          expect=1).stderr
    assert "--until is not after --since" in run(bay, "dead", "list", "--since", "1h", "--until", "2h",
                                                 expect=2).stderr


def test_a_large_event_is_shown_whole(engine):
    bay = engine(REJECTS.replace("[sink", "max_body = 8MiB\n\n[sink", 1))
    event = bay.post(event="large", answer="reject", text="x" * (3 << 20))
    bay.wait_lane(dead=1)
    wait_until(lambda: rows(bay))
    row = json.loads(run(bay, "dead", "show", "--json", event).stdout)
    assert len(base64.b64decode(row["event"]["data_base64"])) > 3 << 20


def test_replay_keeps_ids_and_survives_kill(engine):
    bay = engine(REJECTS)
    ids = three_dead(bay)
    bay.script("retry")     # down for good, until the end
    dry = run(bay, "dead", "replay", "--all", "--dry-run")
    assert "3 dead letters fit" in dry.stdout and len(rows(bay)) == 3
    bay.script("hang")
    done = json.loads(run(bay, "dead", "replay", "--type", "b", "--json").stdout)
    assert done == {"found": 1, "replayed": 1, "removed": 0, "waiting": 0, "dry_run": False}
    assert [row["event_type"] for row in rows(bay)] == ["a", "c"]
    bay.script("ok")
    bay.wait_delivered([ids[1]])
    bay.script("hang")
    assert "2 dead letters replayed" in run(bay, "dead", "replay", "--all").stdout
    bay.script("ok")
    bay.restart(kill=True)      # what was said to be replayed is not dead again
    bay.wait_delivered(ids)
    assert rows(bay) == []
    assert run(bay, "dead", "replay", ids[0], expect=1).stderr
    bay.daemon.stop()
    assert bay.store() is not None


def test_thousands_are_replayed_page_by_page(engine):
    bay = engine(REJECTS)
    bay.script("reject")
    ids = [bay.post() for _ in range(1500)]
    bay.wait_lane(dead=1500, timeout=30)
    wait_until(lambda: len(rows(bay)) == 1500)
    bay.script("ok")
    ours, theirs = pty.openpty()
    done = subprocess.run([bay.program, "dead", "replay", "--all", "-c", bay.config], stderr=theirs,
                          stdout=subprocess.PIPE, timeout=60 * SLOW, check=True)
    os.close(theirs)
    assert b"replayed" in os.read(ours, 65536)
    os.close(ours)
    assert done.stdout == b"1500 dead letters replayed\n"
    bay.wait_delivered(ids, timeout=30)
    bay.wait_lane(dead=0, stragglers=0)


def test_purge_gives_up_and_says_so(engine):
    bay = engine(REJECTS)
    three_dead(bay)
    assert "needs an event's ID" in run(bay, "dead", "purge", expect=2).stderr
    assert "2 dead letters purged" in run(bay, "dead", "purge", "--limit", "2", "--sink", "out").stdout
    assert [row["event_type"] for row in rows(bay)] == ["c"]
    bay.daemon.stop()
    bay.store()


def test_letters_of_a_route_that_is_gone(engine):
    bay = engine(REJECTS)
    ids = three_dead(bay)
    bay.restart(HTTP + sink("other", route="second"))
    listed = rows(bay, "--sink", "out")
    assert [row["id"] for row in listed] == ids
    assert not any(row["configured"] for row in listed)
    done = run(bay, "dead", "replay", "--sink", "out", expect=1)
    assert "no longer has all -> out" in done.stderr and "0 dead letters replayed" in done.stdout
    assert "1 dead letter purged" in run(bay, "dead", "purge", ids[0]).stdout
    bay.script("ok")
    bay.restart(REJECTS)
    assert "2 dead letters replayed" in run(bay, "dead", "replay", "--all").stdout
    bay.wait_delivered(ids[1:])


def test_no_more_than_dead_max(engine):
    bay = engine(HTTP + sink(options="retry = none\ndead_max = 5"))
    bay.script("reject")
    for number in range(40):
        bay.post(event="e%d" % number)
    bay.wait_lane(dead=5)
    wait_until(lambda: [row["event_type"] for row in rows(bay)] == ["e%d" % n for n in range(35, 40)])
    bay.daemon.wait_log("purged, the oldest of more than dead_max")
    [listed] = [json.loads(line) for line in run(bay, "sink", "list", "--json").stdout.splitlines()]
    assert (listed["dead"], listed["purged"]) == (5, 35)


def test_disable_and_enable(engine):
    bay = engine(HTTP + sink() + sink("other", plugin=SUBMIT, route="second"))
    done = run(bay, "sink", "disable", "out", "--reason", "moving house")
    assert done.stdout == "sink out is disabled\n"
    assert "already" in run(bay, "sink", "disable", "out").stdout
    bay.daemon.wait_log("control: user %d asks: sink out to be disabled" % os.getuid())
    bay.daemon.wait_log(r"info \[sink out\] is disabled until .*: moving house")
    ids = [bay.post() for _ in range(5)]
    bay.wait_delivered(ids, "other")
    row = bay.row(type="instance", name="out")
    assert (row["state"], row["last_failure"]) == ("disabled", "moving house")
    bay.restart(kill=True)
    bay.daemon.wait_log("is disabled until .*: moving house")
    assert bay.delivered() == []
    listed = {sink["name"]: sink for sink in
              map(json.loads, run(bay, "sink", "list", "--json").stdout.splitlines())}
    assert (listed["out"]["mode"], listed["out"]["why"]) == ("disabled", "moving house")
    assert (listed["other"]["mode"], listed["other"]["since"]) == ("enabled", None)
    assert "moving house" in run(bay, "sink", "list").stdout
    run(bay, "sink", "enable", "out")
    bay.wait_delivered(ids)
    assert bay.delivered() == ids
    bay.restart()
    assert bay.row(type="instance", name="out")["state"] == "running"


@pytest.mark.parametrize("args, said", [
    ((), "needs list, or disable, enable, drain or retry and the NAME of one sink"),
    (("disbale", "out"), "there is no `sink disbale`; did you mean disable?"),
    (("x",), "there is no `sink x`: list, disable, enable, drain, retry"),
    (("retry",), "retry needs the NAME of one sink"),
    (("retry", "out", "--reason", "x"), "retry needs no --reason"),
    (("drain",), "drain needs the NAME of one sink"),
    (("list", "out"), "list takes no NAME: it shows all"),
    (("enable", "out", "--reason", "x"), "enable needs no --reason"),
])
def test_wrong_use_of_sink(engine, args, said):
    done = engine(HTTP + sink()).daemon.command("sink", *args)
    assert (done.returncode, done.stderr) == (2, "patchbay sink: %s\nTry `patchbay sink --help`.\n" % said)


def test_drain(engine):
    bay = engine(HTTP + sink() + sink("other", route="second"))
    bay.script("hang")
    old = [bay.post() for _ in range(5)]
    bay.wait_log(5)
    run(bay, "sink", "drain", "out")
    new = [bay.post() for _ in range(5)]
    bay.wait_delivered(new, "other")
    assert bay.row(type="instance", name="out")["state"] == "draining"
    bay.script("ok")
    bay.wait_delivered(old)
    bay.daemon.wait_log("is drained")
    assert bay.row(type="instance", name="out")["state"] == "drained"
    assert bay.delivered() == old
    bay.restart()
    assert bay.delivered() == old
    run(bay, "sink", "enable", "out")
    bay.wait_delivered(new)
    assert bay.delivered() == [*old, *new]


def test_usage(engine):
    bay = engine(REJECTS, start=False)
    for args, words in (
            (["dead"], "list, show, replay or purge"), (["dead", "lits"], "there is no `dead lits`"),
            (["dead", "list", "--snik", "x"], "did you mean --sink"), (["dead", "list", "--sink"], "value"),
            (["dead", "list", "--since", "yesterday"], "neither a time"), (["dead", "show", "a", "b"], "ID"),
            (["dead", "list", "--limit", "0"], "no number from 1"), (["dead", "replay"], "--all"),
            (["dead", "list", "--dry-run"], "changes nothing"), (["sink"], "list"),
            (["dead", "list", "--reason", "exhaust"], "did you mean exhausted?; there are rejected, exhausted, "),
            (["sink", "disable"], "NAME"), (["sink", "enable", "out", "--reason", "x"], "no --reason")):
        done = bay.command(*args)
        assert done.returncode == 2 and words in done.stderr, (args, done)
    for args in (["dead", "list"], ["dead", "replay", "--all"], ["sink", "list"], ["sink", "drain", "out"]):
        assert bay.command(*args).returncode == 3
    bay.start()
    assert "there is no sink nobody" in run(bay, "sink", "disable", "nobody", expect=1).stderr
    assert "there is no sink otu; did you mean out?" in run(bay, "sink", "disable", "otu", expect=1).stderr
    assert "there is no sink otu; did you mean out?" in run(bay, "replay", "--to", "otu", "--since", "1h", expect=1).stderr
    assert "there is no reason bad" in run(bay, "dead", "list", "--reason", "bad", expect=2).stderr


def test_a_sink_that_fails_says_why(engine):
    bay = engine(HTTP + sink(options="retry = 1h, 1h"))
    bay.post(answer="retry")

    def row():
        return json.loads(run(bay, "sink", "list", "--json").stdout)

    wait_until(lambda: row()["failing_ms"] > 0)
    assert row()["last_failure"] == "told to say retry" and row()["why"] == ""
    table = run(bay, "sink", "list").stdout
    assert "fails for" in table and ": told to say retry" in table
    run(bay, "sink", "disable", "out", "--reason", "on holiday")
    table = run(bay, "sink", "list").stdout
    assert "on holiday" in table and "told to say retry" not in table
    run(bay, "sink", "enable", "out")
    bay.post(answer="ok")
    wait_until(lambda: row()["last_failure"] == "")


def test_retry(engine):
    bay = engine(HTTP + sink(options="retry = 1h, 1h\nbreaker_pause = 1h\nbreaker_max_pause = 1h") + sink("other", route="second"))
    assert run(bay, "sink", "retry", "out").stdout == "sink out: no delivery waits for its next attempt\n"
    bay.script("retry")
    ids = [bay.post() for _ in range(3)]
    bay.wait_lane(stragglers=3)
    bay.script("ok")
    assert run(bay, "sink", "retry", "out").stdout == "sink out: 3 waiting deliveries are tried now\n"
    bay.wait_delivered(ids)
    bay.daemon.wait_log("control: user %d asks: sink out to be tried now" % os.getuid())
    bay.script("down")
    last = bay.post()
    wait_until(lambda: bay.row(type="instance", name="out")["state"] == "down")
    bay.script("ok")
    assert json.loads(run(bay, "sink", "retry", "out", "--json").stdout)["probe"]
    bay.wait_delivered(ids + [last])
    run(bay, "sink", "disable", "out")
    assert "sink out is disabled: patchbay sink enable out" in run(bay, "sink", "retry", "out", expect=1).stderr
    assert "there is no sink oter; did you mean other?" in run(bay, "sink", "retry", "oter", expect=1).stderr
