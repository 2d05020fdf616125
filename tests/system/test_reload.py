"""Another configuration while the daemon runs: what goes on, what changes, and what is refused."""

import http.client
import json
import re
import signal
import socket
import threading

from engine import HTTP, SUBMIT, WRITE, engine, of, sink, written  # noqa: F401
from harness import SLOW, Receiver, free_port, objects, wait_until

FAST = "retry = exponential(100ms, 100ms, 1000)\nbreaker_failures = 0"


def reload(bay, config, core="", expect=0):
    """Write it and have it taken; what was said, a line each, and the objects of --json."""
    bay.daemon.configure(written(bay.folder, config, core))
    done = bay.daemon.command("reload", "--json", timeout=60)
    assert done.returncode == expect, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def changes(said):
    return sorted((row["change"], row["section"]) for row in said if row.get("type") == "section")


def test_sections_come_change_and_go(engine):
    one = HTTP + sink(options=FAST)
    bay = engine(one)
    first = bay.post()
    said = reload(bay, one + sink("more", WRITE, route="more"))
    assert changes(said) == [("added", "route more"), ("added", "sink more")]
    second = bay.post()
    bay.wait_delivered([second], "more")
    assert bay.delivered("more") == [second]
    assert changes(reload(bay, one + sink("more", WRITE, "timeout = 3s", route="more"))) == [
        ("changed", "sink more")]
    third = bay.post()
    bay.wait_delivered([second, third], "more")
    assert changes(reload(bay, one)) == [("removed", "route more"), ("removed", "sink more")]
    fourth = bay.post()
    bay.wait_delivered([first, second, third, fourth])
    assert bay.delivered("more") == [second, third]
    done = bay.daemon.command("reload")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    row = bay.row(type="daemon")
    assert row["loaded"] > row["started"] and row["refused"] is None


def test_a_wrong_one_is_refused_with_all_errors(engine):
    right = HTTP + sink(options=FAST)
    bay = engine(right)
    bay.post()
    wrong = right.replace("plugin = http", "plugin = http\nlisn = x") + "[route r]\nto = nobody\n"
    said = reload(bay, wrong, expect=1)
    assert {(row["section"], row["key"]) for row in said if "level" in row} == {
        ("source in", "lisn"), ("route r", "to")}
    done = bay.daemon.command("reload")
    assert done.returncode == 1 and "lisn" in done.stderr and "nobody" in done.stderr
    assert "the old configuration stays" in done.stderr
    bay.daemon.wait_log(r" error \[source in\] \S+:\d+: lisn: ")
    assert bay.row(type="daemon")["refused"] is not None
    assert "patchbay_config_last_reload_successful 0" in bay.daemon.command(
        "status", "--prometheus").stdout
    # What can be seen only by opening it is no other matter; and what listens goes on.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = reload(bay, right.replace("127.0.0.1:0", "127.0.0.1:%d" % port), expect=1)
        assert "cannot listen" in said[0]["message"]
        assert changes(said) == []
    bay.connection = None   # the one of before may be closed; a new one is taken
    last = bay.post()
    bay.wait_delivered([last])
    assert reload(bay, right) and bay.row(type="daemon")["refused"] is None


def test_what_the_running_daemon_cannot_change_is_said(engine):
    bay = engine(HTTP + sink())
    said = reload(bay, HTTP + sink(), core="max_size = 1GiB\nlog_level = debug")
    assert [(row["level"], row["key"]) for row in said if "level" in row] == [("warning", "max_size")]
    assert "restart" in said[0]["message"]
    bay.post()
    reload(bay, HTTP + sink(), core="max_size = 1GiB\nlog_level = error")
    seen = len(bay.daemon.log)
    reload(bay, HTTP + sink())
    assert "opening files again" not in bay.daemon.log[seen:]


def test_sighup_takes_it_too_and_opens_files_in_any_case(engine, folder):
    plain = """
[sink out]
plugin = file
path = $DIR/out
[route all]
to = out
"""
    bay = engine(HTTP + plain)
    bay.post()
    wait_until(lambda: len(objects(folder / "out")) == 1, what="delivered")
    (folder / "out").rename(folder / "out.1")
    bay.daemon.configure(written(folder, HTTP + plain + "[nonsense]\n"))
    bay.daemon.send(signal.SIGHUP)
    bay.daemon.wait_log("the old one stays")
    bay.post()
    wait_until(lambda: (folder / "out").exists() and len(objects(folder / "out")) == 1, what="opened again")
    # A file is its sink's alone, and goes over to what takes the sink's place.
    bay.daemon.configure(written(folder, HTTP + plain.replace("path", "mode = 0644\npath")))
    bay.daemon.send(signal.SIGHUP)
    bay.daemon.wait_log("reloaded: 0 sections added, 1 changed, 0 removed")
    bay.post()
    wait_until(lambda: len(objects(folder / "out")) == 2, what="delivered")


def test_a_removed_sink_leaves_dead_letters_that_can_be_replayed(engine):
    bay = engine(HTTP + sink("keep", options=FAST) + sink(options="retry = 1h", route="second"))
    failing = bay.post(answer="retry ok")
    bay.wait_lane(stragglers=1)
    bay.daemon.configure(written(bay.folder, HTTP + sink("keep", options=FAST)))
    done = bay.daemon.command("check")
    assert done.returncode == 0 and "route second to sink out, which is not here: 1 deliveries" in done.stderr
    reload(bay, HTTP + sink("keep", options=FAST))
    bay.daemon.wait_log("'second out'.* has left the configuration: 1 deliveries")
    done = bay.daemon.command("dead", "list", "--json")
    [letter] = [json.loads(line) for line in done.stdout.splitlines()]
    assert (letter["id"], letter["reason"], letter["sink"]) == (failing, "removed", "out")
    reload(bay, HTTP + sink("keep", options=FAST) + sink(options="retry = 1h", route="second"))
    assert bay.lane()["dead"] == 1
    bay.script("ok")
    assert bay.daemon.command("dead", "replay", "--sink", "out").returncode == 0
    bay.wait_delivered([failing])
    bay.wait_lane(dead=0, stragglers=0)
    bay.stop()
    assert of(bay.store(), "dead") == []


def test_a_backlog_goes_where_it_was_to_go(engine):
    bay = engine(HTTP + sink(options=FAST).replace("to = out", "events = a\nto = out"))
    bay.script("down")
    old = [bay.post(event=kind) for kind in "ab" * 200]
    reload(bay, HTTP + sink(options=FAST).replace("to = out", "events = b\nto = out"))
    new = [bay.post(event=kind) for kind in "ab" * 5]
    bay.restart(kill=True)
    bay.script("ok")
    bay.wait_delivered(old[0::2] + new[1::2], timeout=30)
    bay.wait_lane(behind=0, stragglers=0)
    assert set(bay.delivered()) == set(old[0::2] + new[1::2])


class Load(threading.Thread):
    """Posts until it is told to stop, each on a connection of its own or all on one."""

    def __init__(self, port, alone):
        super().__init__(daemon=True)
        self.port, self.alone, self.stopping = port, alone, False
        self.sent, self.refused, self.cut, self.other = [], 0, 0, []

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * SLOW)

    def one(self, connection):
        connection.request("POST", "/", '{"event":"x"}', {"content-type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 202:
            self.sent.append(json.loads(body)["id"])
        else:
            self.other.append(answer.status)

    def run(self):
        connection = self.connection()
        while not self.stopping:
            try:
                self.one(connection)
                if not self.alone:
                    continue
            except ConnectionRefusedError:
                self.refused += 1
            except (http.client.HTTPException, OSError):
                self.cut += 1
            connection.close()
            connection = self.connection()

    def end(self):
        self.stopping = True
        self.join(30 * SLOW)
        assert not self.is_alive()


def test_under_load_nothing_is_lost_and_nobody_refused(engine, folder):
    """Twenty reloads, each with other sinks, filters of a route, and in the second half another source."""
    port = free_port()
    receiver = Receiver()
    try:
        source = "[source in]\nplugin = http\nlisten = 127.0.0.1:%d\n%%s" % port
        steady = sink("steady", options=FAST, route="steady")
        hook = "[sink hook]\nplugin = webhook\nurl = %s\ntimeout = %%ds\n[route hook]\nto = hook\n" % receiver.url()
        bay = engine(source % "" + steady + hook % 20)
        loads = [Load(port, alone) for alone in (False, True, True)]
        for load in loads:
            load.start()
        wait_until(lambda: all(load.sent for load in loads), what="load")
        for i in range(20):
            changed = "timeout = %ds\n" % (30 + i) if i >= 10 else ""
            extra = sink("extra", (SUBMIT, WRITE)[i % 2], "timeout = %ds" % (3 + i), route="extra")
            reload(bay, source % changed + steady + hook % (20 + i // 4) + (extra if i % 3 else ""))
            if i == 9:
                assert sum(load.refused + load.cut for load in loads) == 0
                assert bay.row(kind="sink", name="steady")["events"] > 0
            before = len(loads[1].sent)
            wait_until(lambda: len(loads[1].sent) > before + 3, what="more load")
        for load in loads:
            load.end()
        sent = [event for load in loads for event in load.sent]
        assert sum(load.refused for load in loads) == 0
        assert all(status == 503 for load in loads for status in load.other)
        bay.wait_delivered(sent, "steady", timeout=30)
        assert sorted(set(bay.delivered("steady"))) == sorted(bay.delivered("steady"))
        bay.wait_lane("steady", behind=0, stragglers=0)
        bay.wait_lane("hook", behind=0, stragglers=0, timeout=30)
        assert bay.row(kind="sink", name="steady")["events"] == len(sent)
        assert sorted(request.headers["webhook-id"] for request in receiver.requests) == sorted(sent)
        bay.stop()
        bay.store()
    finally:
        receiver.close()


def test_a_late_sink_of_old_is_waited_for_by_nobody(engine):
    bay = engine(HTTP + sink(plugin=WRITE, options="timeout = 1s\ndelay = 4s"))
    bay.post()
    wait_until(lambda: bay.row(kind="sink", name="out")["in_flight"] == 1, what="under way")
    reload(bay, HTTP + sink(plugin=WRITE, options="timeout = 1s"))
    bay.daemon.wait_log("has not come back from write")
    bay.wait_lane(behind=0, timeout=20)
    assert len(bay.log()) == 1


def test_it_can_be_routed_itself(engine):
    told = "[route told]\nfrom = patchbay\nevents = patchbay.config.*\nto = out\n"
    bay = engine(HTTP + sink() + told)
    reload(bay, HTTP + sink() + sink("more", route="more") + told)
    wait_until(lambda: any(row["type"] == "patchbay.config.reloaded" for row in bay.log()), what="told")
    said = reload(bay, HTTP + sink() + sink("more", route="more"))
    assert changes(said) == [("removed", "route told")]     # and no source of that name, which has no section
    assert " error " not in bay.daemon.log
