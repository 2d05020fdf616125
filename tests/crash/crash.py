"""Kills patchbay with SIGKILL at random moments under load, starts it again, and checks what it promised.

    make crash CYCLES=1000 SEED=7

Every acknowledged event arrives; per connection in order where the lane is strict; a source that
keeps a mark stores nothing twice; what is repeated was in flight, or answered not long before a kill; a
dead letter is not delivered, unless it was replayed; and the store's invariants hold after each kill
(invariants.c). Sinks fail, one with strict order among them; segments go while it runs; dead letters are
replayed and purged; kills hit starts as well.
The seed fixes payloads, moments and which attempts fail; what the machine does in between it cannot.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

import load                                     # noqa: E402
from engine import inspect, plugin_folder       # noqa: E402
from harness import SLOW, Daemon, free_port, read, wait_until   # noqa: E402

CLIENTS = 6
# What was answered longer before a kill than this is not repeated. Under load an answer is on disk with
# the next block, a few milliseconds later; where a sink fails, when the row of a failure before it is.
AGE, CALM_AGE = 1.5 * SLOW, 0.5 * SLOW

CONFIG = """
[patchbay]
state = $DIR/state
segment_size = 1MiB

[source in]
plugin = http
listen = 127.0.0.1:$PORT

[source count]
plugin = counter
log = $DIR/count.log
count = 1000000000
group = 3
turn = 2
pause = 8ms

[filter split]
plugin = probe_filter
mode = split
count = 2

[sink file]
plugin = file
path = $DIR/out.jsonl

[sink flaky]
plugin = scripted_submit
log = $DIR/flaky.log
script = $DIR/flaky.script
delay = 15ms
shuffle = yes
fail = $FAIL
seed = $SEED
retry = exponential(40ms, 400ms, 3)
breaker_pause = 20ms
breaker_max_pause = 200ms

[sink parts]
plugin = scripted_submit
log = $DIR/parts.log
delay = 20ms
shuffle = yes
fail = $SOME
seed = $SEED
retry = exponential(30ms, 300ms, 8)

[sink strict]
plugin = scripted
log = $DIR/strict.log
fail = $FEW
seed = $SEED
max_batch = 16
retry = exponential(5ms, 50ms, 100)

[route file]
to = file

[route strict]
events = c1
to = strict

[route flaky]
to = flaky

[route parts]
events = c0
filters = split
to = parts
"""


class Failure(Exception):
    pass


def check(right, what, *args):
    if not right:
        raise Failure(what % args)


class Tail:
    """The whole lines that a file got since the last look, as JSON, each with its offset."""

    def __init__(self, path):
        self.path, self.offset = Path(path), 0

    def new(self):
        if not self.path.exists():
            return []
        with self.path.open("rb") as f:
            f.seek(self.offset)
            data = f.read()
        data = data[:data.rfind(b"\n") + 1]
        found = []
        for line in data.split(b"\n")[:-1]:
            found.append((self.offset, self.parse(line)))
            self.offset += len(line) + 1
        return found

    def parse(self, line):
        """A kill can end a write at a page's end; the next run's first line follows then."""
        try:
            return json.loads(line)
        except ValueError:
            begin = line.rfind(b'{"id"')
            check(begin > 0 and self.path.suffix == ".log", "%s: a broken line: %r", self.path, line)
            return json.loads(line[begin:])


class Sizes(threading.Thread):
    """How large the sink's file was when, looked at all the time."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.seen = path, []
        self.ending = threading.Event()

    def run(self):
        while not self.ending.wait(0.01):
            try:
                self.seen.append((time.monotonic(), os.stat(self.path).st_size))
            except FileNotFoundError:
                pass

    def age(self, offset, when):
        """How long before `when` what stands at `offset` was there, at least."""
        for t, size in self.seen:
            if size > offset:
                return when - t
        return 0


class Lane:
    """What one sink got: first arrivals, and repeats with their age at the kill before."""

    def __init__(self, name, limit):
        self.name, self.limit = name, limit
        self.last = {}          # id: the run and age (at the kill) of its last delivery
        self.repeats, self.oldest, self.most = 0, 0.0, 0

    def take(self, run, event_id):
        """Delivered in this run. What it was in before must have ended."""
        if event_id in self.last:
            before, age = self.last[event_id]
            check(before != run, "%s: %s was delivered twice in one run", self.name, event_id)
            self.repeats += 1
            self.this += 1
            self.oldest = max(self.oldest, age)
            check(age <= self.limit, "%s: %s was delivered %.3f s before a kill, and again",
                  self.name, event_id, age)
        self.fresh.append(event_id)

    def begin(self):
        self.this, self.fresh = 0, []

    def killed(self, run, age_of):
        self.most = max(self.most, self.this)
        for event_id in self.fresh:
            self.last[event_id] = (run, age_of(event_id))

    def __str__(self):
        return "%s: %d events, %d repeats (at most %d after one kill, the oldest %.0f ms before it)" % (
            self.name, len(self.last), self.repeats, self.most, self.oldest * 1000)


class Crash:
    def __init__(self, folder, seed, calm):
        self.folder, self.seed = Path(folder), seed
        self.random = random.Random(seed)
        port = free_port()
        config = (CONFIG.replace("$DIR", str(folder)).replace("$PORT", str(port))
                  .replace("$SEED", str(self.random.randrange(1 << 30)))
                  .replace("$FAIL", "0" if calm else "30").replace("$SOME", "0" if calm else "10")
                  .replace("$FEW", "0" if calm else "2"))
        self.daemon = Daemon(folder, config, "--plugin-dir", plugin_folder(folder))
        self.load = load.Load(CLIENTS, seed, port)
        self.sizes = Sizes(self.folder / "out.jsonl")
        self.sizes.start()
        self.file, self.flaky, self.parts, self.strict = (
            Lane(name, CALM_AGE if calm else AGE) for name in ("file", "flaky", "parts", "strict"))
        self.tails = {name: Tail(self.folder / name) for name in
                      ("out.jsonl", "flaky.log", "parts.log", "strict.log")}
        self.calm = calm
        self.last_strict = ""   # the id that arrived there last for the first time
        self.replays, self.purged = 0, set()
        self.lucky = False      # in this run all attempts are ok for a while
        self.all_lucky = set()  # what was delivered in such a run
        self.order = {}         # source or connection: the last number that arrived first
        self.numbers = {}       # the counter's: number to id
        self.counted = 0        # bytes of its log that were read
        self.reached = 0
        self.run = 0

    def cycle(self):
        self.run += 1
        starting = self.run % 7 == 3        # killed while it brings its state up to the journal
        self.daemon.start(wait=not starting)
        self.load.start()
        longest = 0.06 if starting else 4.0 if self.run % 10 == 0 else 0.8
        if not starting and not self.calm and self.run % 4 == 1:
            self.operate()
        threading.Event().wait(self.random.uniform(0, longest) * min(SLOW, 2))
        when = time.monotonic()
        self.daemon.kill()
        self.look(when)
        self.invariants()

    def operate(self):
        """As an operator does: purge a few dead letters, and replay the others to a sink that works again."""
        listed = self.daemon.command("dead", "list", "--sink", "flaky", "--limit", "2", "--json")
        for letter in map(json.loads, listed.stdout.splitlines()):
            self.purged.add(letter["id"])
            self.daemon.command("dead", "purge", letter["id"], "--sink", "flaky")
        self.lucky = True
        script = self.folder / "flaky.script"
        script.write_text("ok")     # else what failed once would fail again, and hold the sink
        done = self.daemon.command("dead", "replay", "--sink", "flaky", "--all")
        self.replays += done.returncode == 0
        if done.returncode == 0:
            wait_until(self.replayed, what="what was replayed is delivered")
        script.unlink()

    def replayed(self):
        """Has what was due then left, or the daemon ended?"""
        done = self.daemon.command("status", "--json")
        rows = [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []
        return not rows or any(row["type"] == "lane" and row["sink"] == "flaky" and row["stragglers"] < 50
                               for row in rows)

    def look(self, when):
        """What arrived in the run that ended at `when`."""
        self.look_file(when)
        self.look_log(self.flaky, "flaky.log", when)
        if self.lucky:
            self.all_lucky.update(self.flaky.fresh)
        self.lucky = False
        self.look_log(self.parts, "parts.log", when)
        known = set(self.strict.last)
        self.look_log(self.strict, "strict.log", when)
        for event_id in self.strict.fresh:      # ids are made in the order of the journal
            check(event_id in known or event_id > self.last_strict, "strict: %s came after %s",
                  event_id, self.last_strict)
            self.last_strict = max(self.last_strict, event_id)
        self.look_source()

    def look_file(self, when):
        self.file.begin()
        offsets = {}
        for offset, event in self.tails["out.jsonl"].new():
            first = event["id"] not in self.file.last
            self.file.take(self.run, event["id"])
            offsets[event["id"]] = offset
            if first:
                self.in_order(event)
        self.file.killed(self.run, lambda event_id: self.sizes.age(offsets[event_id], when))
        del self.sizes.seen[:-1]

    def in_order(self, event):
        key, n = event["type"], event["data"]["n"]
        check(n > self.order.get(key, 0), "%s: %d arrived after %d", key, n, self.order.get(key))
        if key == "count":
            check(n == self.order.get(key, 0) + 1, "the counter's %d is missing", n - 1)
            check(self.numbers.setdefault(n, event["id"]) == event["id"], "%d was stored twice", n)
        self.order[key] = n

    def look_log(self, lane, name, when):
        lane.begin()
        answered = {}
        for _, d in self.tails[name].new():
            if d["answer"] == "ok":
                lane.take(self.run, d["id"])
                answered[d["id"]] = d["t"] / 1000
        lane.killed(self.run, lambda event_id: max(0, when - answered[event_id]))

    def look_source(self):
        """The counter's mark never goes back behind what it was told is stored."""
        log = read(self.folder / "count.log")
        for line in log[self.counted:log.rfind(b"\n") + 1].decode().splitlines():
            word, n = line.split()
            if word == "from":
                check(int(n) >= self.reached, "the counter began at %s after %d", n, self.reached)
            elif word == "stored":
                self.reached = max(self.reached, int(n))
        self.counted = log.rfind(b"\n") + 1

    def invariants(self):
        rows, wrong = inspect(self.daemon.state, "all")
        check(not wrong, "the store after kill %d: %s", self.run, "; ".join(wrong[:5]))
        return rows

    def finish(self):
        """Let everything arrive, and see that it did."""
        self.load.pause()
        self.run += 1
        config = self.daemon.config.read_text()
        self.daemon.configure(config.replace("count = 1000000000", "count = 1"))
        self.daemon.start()
        wait_until(self.settled, 120, "every delivery ends")
        self.daemon.stop()
        self.load.end()
        self.look(time.monotonic())
        rows = self.invariants()
        acked = {event_id for event_id, _, _ in self.load.acked()}
        dead = {lane: {row["id"] for row in rows if row["type"] == "dead" and row["lane"] == lane}
                for lane in ("flaky flaky", "parts parts")}
        self.check_arrived(acked, dead["flaky flaky"], dead["parts parts"])
        return acked, dead

    def settled(self):
        check(self.daemon.running(), "the daemon ended\n%s", self.daemon.fresh[-2000:])
        return all(row["behind"] == row["stragglers"] == row["waiting"] == 0
                   for row in self.daemon.status() if row["type"] == "lane")

    def check_arrived(self, acked, dead, dead_parts):
        in_file, in_flaky = self.file.last.keys(), self.flaky.last.keys()
        check(acked <= in_file, "lost: %r", acked - in_file)
        check(in_file <= in_flaky | dead | self.purged, "neither delivered to flaky nor dead: %r",
              in_file - in_flaky - dead - self.purged)
        # What is repeated after a kill fails again, unless luck made it succeed.
        both = dead & in_flaky - self.all_lucky
        check(not both, "delivered, and dead: %r", both)
        for event_id, n, _ in self.load.clients[1].acked:
            check(event_id in self.strict.last, "c1's %d, %s, is lost on the strict lane", n, event_id)
        for client in self.load.clients[:1]:
            for event_id, n, _ in client.acked:
                both = event_id in self.parts.last and event_id + "~2" in self.parts.last
                check(both or event_id in dead_parts, "a part of c0's %d, %s, is lost", n, event_id)
                check(not both or event_id not in dead_parts, "%s is dead and delivered", event_id)
        check(self.order.get("count", 0) >= self.reached, "the counter's last events are lost")


def run(cycles, seed, calm=False, say=print):
    """Raises Failure; the folder is kept then. `calm`: no sink fails, so that nothing makes the state be
    saved before its time."""
    folder = Path(tempfile.mkdtemp(prefix="pb-crash-"))
    folder.chmod(0o755)
    say("seed %s, %d %scycles, in %s" % (seed, cycles, "calm " if calm else "", folder))
    crash = Crash(folder, seed, calm)
    try:
        for i in range(cycles):
            crash.cycle()
            if (i + 1) % 50 == 0:
                say("%d kills, %d events acknowledged" % (i + 1, len(crash.load.acked())))
        acked, dead = crash.finish()
    except BaseException:
        crash.daemon.kill()
        say("kept: %s (seed %s, cycle %d)" % (folder, seed, crash.run))
        raise
    finally:
        crash.sizes.ending.set()
    say("%d events acknowledged, %d dead letters, %d times replayed, %d purged; %d counted"
        % (len(acked), sum(map(len, dead.values())), crash.replays, len(crash.purged), crash.reached))
    for lane in (crash.file, crash.flaky, crash.parts, crash.strict):
        say(str(lane))
    complaint = crash.daemon.complaint()
    check(not complaint, "%s", complaint)
    shutil.rmtree(folder)
    return crash


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", default="")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        seed = args.seed or str(random.SystemRandom().randrange(1 << 32))
        run(args.cycles * 3 // 4, seed)
        run(args.cycles - args.cycles * 3 // 4, seed, calm=True)
    except Failure as failure:
        print("FAILED: %s" % failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
