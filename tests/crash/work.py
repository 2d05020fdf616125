"""What makes the engine come by steps that load alone does not reach, and what must hold of it.

A source that knows repeats and a sender that repeats; a sink that an operator disables until its lane has left the
journal; a route that comes and goes with what waits in it; events that are kept, and replayed.
"""

import http.client
import json
import random
import threading

from crash import Lane, Tail, check
from harness import free_port, wait_until

CORE = """segment_size = 1MiB
keep = 2MiB
history = 1MiB
"""

EXTRA = """
[route extra]
from = in
events = c4
to = extra
"""

SECTIONS = """
[source keyed]
plugin = http
listen = 127.0.0.1:$PORT
dedupe = 1h
dedupe_max = 100

[sink keyed]
plugin = file
path = $DIR/keyed.jsonl

[route keyed]
from = keyed
to = keyed

[sink held]
plugin = scripted
log = $DIR/held.log
max_batch = 16
max_backlog = 1MiB
dead_max_size = 64MiB

[route held]
from = in
events = c2
to = held

[sink again]
plugin = scripted_submit
log = $DIR/again.log

[route again]
from = in
events = c3
to = again

[sink extra]
plugin = scripted_submit
log = $DIR/extra.log
script = $DIR/extra.script
max_in_flight = 1
max_batch = 1
breaker_max_pause = 1s
""" + EXTRA


class Repeater(threading.Thread):
    """Posts an event under a key until it is acknowledged, and then some key of the last few again."""

    def __init__(self, seed, port):
        super().__init__(daemon=True)
        self.random, self.port = random.Random("%s keys" % seed), port
        self.ids, self.wrong = {}, []       # key: the id it was acknowledged with
        self.repeats = 0
        self.go, self.idle = threading.Event(), threading.Event()
        self.idle.set()

    def run(self):
        while True:
            self.idle.set()
            self.go.wait()
            self.idle.clear()
            key = str(len(self.ids))
            self.post(key)
            if key in self.ids and self.ids:
                self.post(str(self.random.randrange(max(0, len(self.ids) - 20), len(self.ids))))

    def post(self, key):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/", json.dumps({"event": "k", "key": key}),
                               {"Content-Type": "application/json", "Idempotency-Key": key})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 202:
                self.take(key, json.loads(body)["id"])
        except (OSError, http.client.HTTPException):
            threading.Event().wait(0.002)      # nobody there: the daemon is being killed or started
        finally:
            connection.close()

    def take(self, key, event_id):
        self.repeats += key in self.ids
        if self.ids.setdefault(key, event_id) != event_id:
            self.wrong.append(key)

    def pause(self):
        self.go.clear()
        self.idle.wait()


class Work:
    def __init__(self, life, seed):
        self.life, self.daemon = life, life.daemon
        port = free_port()
        text = self.daemon.config.read_text().replace("segment_size = 1MiB\n", CORE)
        for route in ("[route file]\n", "[route flaky]\n"):
            text = text.replace(route, route + "from = in, count\n")
        text += SECTIONS.replace("$DIR", str(life.folder)).replace("$PORT", str(port))
        self.daemon.configure(text)
        self.repeater = Repeater(seed, port)
        self.repeater.start()
        self.held = Lane("held", life.strict.limit)
        self.tails = {name: Tail(life.folder / name) for name in
                      ("held.log", "again.log", "extra.log", "keyed.jsonl")}
        self.last_held = ""
        self.arrived = {"again": set(), "extra": set()}
        self.sure = set()           # of the extra route: accepted while it was surely there
        self.keys = {}              # key: ids it arrived with
        self.toggled = False
        self.replays = 0
        self.ended = False          # what was held is let go

    def begin(self):
        self.toggled = "[route extra]" not in self.daemon.config.read_text()
        self.from_acked = len(self.life.load.clients[4].acked)
        self.repeater.go.set()

    def status(self, sink):
        """The sink's lane, or None: the daemon has ended, or there is none."""
        done = self.daemon.command("status", "--json")
        rows = [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []
        return next((row for row in rows if row["type"] == "lane" and row["sink"] == sink), None)

    def hold(self):
        """Disable the sink until its lane has left the journal, and let it take up what is parked."""
        self.daemon.command("sink", "disable", "held")
        wait_until(lambda: (self.status("held") or {"stragglers": 1})["stragglers"] > 0, 30, "rows are parked")
        self.daemon.command("sink", "enable", "held")
        wait_until(lambda: (self.status("held") or {"stragglers": 0})["stragglers"] == 0, 30, "they are taken up")

    def reload(self):
        """Take the route away with what waits in it, and bring it back."""
        self.toggled = True
        text, script = self.daemon.config.read_text(), self.life.folder / "extra.script"
        if EXTRA in text:
            script.write_text("down")
            wait_until(lambda: (self.status("extra") or {"catching_up": True})["catching_up"], 30, "the window is full")
            self.daemon.configure(text.replace(EXTRA, ""))
        else:
            script.unlink(missing_ok=True)
            self.daemon.configure(text + EXTRA)
        self.daemon.command("reload")

    def replay(self):
        done = self.daemon.command("replay", "--to", "again", "--since", "1h")
        self.replays += done.returncode == 0

    def provoke(self, name):
        if name.startswith(("yield:", "parked:")):
            self.hold()
        elif name.startswith(("reload:", "leave:")):
            self.reload()
        elif name.startswith("replay:"):
            self.replay()

    def look(self, when):
        """What arrived in the run that ended at `when`."""
        known = set(self.held.last)
        self.life.look_log(self.held, "held.log", when)
        for event_id in self.held.fresh:
            check(event_id in known or event_id > self.last_held, "held: %s came after %s", event_id, self.last_held)
            self.last_held = max(self.last_held, event_id)
        for sink, ids in self.arrived.items():
            ids.update(d["id"] for _, d in self.tails[sink + ".log"].new() if d["answer"] == "ok")
        for _, event in self.tails["keyed.jsonl"].new():
            self.keys.setdefault(event["data"]["key"], set()).add(event["id"])
        if not self.toggled:
            self.sure.update(ack[0] for ack in self.life.load.clients[4].acked[self.from_acked:])

    def end(self):
        """Before the last run: what waits may go."""
        self.repeater.pause()
        (self.life.folder / "extra.script").unlink(missing_ok=True)

    def let_go(self):
        self.ended = self.daemon.command("sink", "enable", "held").returncode == 0
        self.replay()
        check(self.ended and self.replays > 0, "the last run cannot be told to let go")

    def check(self, rows):
        dead = {lane: {row["id"] for row in rows if row["type"] == "dead" and row["lane"] == lane}
                for lane in ("held held", "extra extra")}
        acked = [{ack[0] for ack in client.acked} for client in self.life.load.clients]
        lost = acked[2] - self.held.last.keys() - dead["held held"]
        check(not lost, "held: lost: %r", lost)
        check(acked[3] <= self.arrived["again"], "again: lost: %r", acked[3] - self.arrived["again"])
        lost = self.sure - self.arrived["extra"] - dead["extra extra"]
        check(not lost, "extra: lost: %r", lost)
        check(not self.repeater.wrong, "these keys were acknowledged with two ids: %r", self.repeater.wrong)
        for key, event_id in self.repeater.ids.items():
            check(self.keys.get(key) == {event_id}, "key %s was acknowledged as %s and arrived as %r", key, event_id,
                  self.keys.get(key))

    def __str__(self):
        return "%d keys, repeated %d times; %d replays; held: %s; %d of the extra route" % (
            len(self.repeater.ids), self.repeater.repeats, self.replays, self.held, len(self.sure))
