"""Kills patchbay at each of the engine's steps, under load, starts it again, and checks what it promised.

    make crash-steps TIMES=3 SEED=7

The steps are the calls of step_at() in the sources; tests/crash/patchbay-steps is the program with them. Each is
a kill the first time that it is reached, and TIMES - 1 later ones. What must hold is what crash.py checks.
A step that is not reached fails the test.
"""

import argparse
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import crash                                # noqa: E402
import work                                 # noqa: E402
from engine import TESTS                    # noqa: E402
from harness import SLOW                    # noqa: E402

CORE = Path(__file__).parents[2] / "core"
REACHED_IN = 15 * SLOW      # seconds for what comes by itself under load
SOON = 2 * SLOW             # seconds for a later occurrence, which need not come
ONCE = ("start:", "state:", "stop:", "recover:", "reserve:", "undo:")


def steps():
    """The names, in the order of files and lines."""
    found = []
    for path in sorted(CORE.rglob("*.c")):
        found += re.findall(r'\bstep_at\("([^"]+)"\)', path.read_text())
    crash.check(len(found) == len(set(found)), "a step's name is there twice: %r", sorted(found))
    return found


class Steps(crash.Crash):
    def __init__(self, folder, seed):
        super().__init__(folder, seed, calm=False)
        self.daemon.argv[0] = str(TESTS / "crash" / "patchbay-steps")
        self.missed = []
        self.work = work.Work(self, seed)
        self.tails.update(self.work.tails)

    def prepare(self, name):
        """What makes a start, or the disk, come by the step."""
        journal = self.daemon.state / "journal"
        segments = sorted(journal.glob("*.seg")) if journal.exists() else []
        if name == "recover: torn end cut, not synced" and segments:
            with segments[-1].open("ab") as newest:
                newest.write(b"PBBK, torn")
        elif name == "recover: leftover removed" and segments:
            (journal / "00000000000fffff.seg.new").write_bytes(b"")
        elif name.startswith("reserve:"):
            (self.daemon.state / "state" / "reserve").unlink(missing_ok=True)
        self.daemon.limits = {}
        if name.startswith("undo:"):    # a file's limit is met in the middle of a block; it is the sinks' limit too
            self.daemon.limits = {resource.RLIMIT_FSIZE: 400000}

    def provoke(self, name, until):
        """Until the daemon ends: what makes it come by the step. Whether it ended."""
        acted = False
        while not self.daemon.ends_within(0.02) and time.monotonic() < until:
            if not acted and " ready: " in self.daemon.fresh:
                acted = True
                if name.startswith("stop:"):
                    self.daemon.send(crash.signal.SIGTERM)
            if acted and name.startswith("dead:"):
                self.operate()
            elif acted:
                self.work.provoke(name)
        return not self.daemon.running()

    def kill_at(self, name, nth):
        """One run that ends at the step. False: it was not reached."""
        self.run += 1
        self.prepare(name)
        self.daemon.env = {"PATCHBAY_KILL_AT": "%s/%d" % (name, nth)}
        self.daemon.start(wait=False)
        self.load.start()
        self.work.begin()
        reached = self.provoke(name, time.monotonic() + (REACHED_IN if nth == 1 else SOON))
        when = time.monotonic()
        if reached:
            status = self.daemon.ended()
            crash.check(status == -crash.signal.SIGKILL, "%s: ended with %d by itself\n%s", name, status,
                        self.daemon.fresh[-2000:])
        else:
            self.daemon.kill()
        self.look(when)
        self.invariants()
        return reached

    def look(self, when):
        super().look(when)
        self.work.look(when)

    def settled(self):
        if not self.work.ended:
            self.work.let_go()
        return super().settled()

    def finish(self):
        self.work.end()
        return super().finish()

    def check_arrived(self, *known):
        super().check_arrived(*known)
        self.work.check(self.invariants())


def when(one):
    """Some while files are small, some when there is much."""
    name, _ = one
    return -1 if name.startswith("undo:") else 1 if name.startswith(("retain:", "history:", "trim:", "space:")) else 0


def run(seed, times=1, names=None, say=print):
    """Raises crash.Failure; the folder is kept then."""
    folder = Path(tempfile.mkdtemp(prefix="pb-steps-"))
    folder.chmod(0o755)
    chance = random.Random(seed)
    say("seed %s, in %s" % (seed, folder))
    life = Steps(folder, seed)
    all_steps = steps() if names is None else names
    order = [(name, 1 if i == 0 else chance.randrange(2, 40)) for i in range(times) for name in all_steps
             if i == 0 or not name.startswith(ONCE)]
    chance.shuffle(order)
    order.sort(key=when)
    try:
        for name, nth in order:
            reached = life.kill_at(name, nth)
            if not reached and nth == 1:
                life.missed.append(name)
        life.daemon.env, life.daemon.limits = None, {}
        acked, dead = life.finish()
    except BaseException:
        life.daemon.kill()
        say("kept: %s (seed %s)" % (folder, seed))
        raise
    finally:
        life.sizes.ending.set()
    say("%d kills at %d steps, %d events acknowledged, %d dead letters"
        % (len(order), len(all_steps), len(acked), sum(map(len, dead.values()))))
    for lane in (life.file, life.flaky, life.parts, life.strict):
        say(str(lane))
    say(str(life.work))
    complaint = life.daemon.complaint()
    crash.check(not complaint, "%s", complaint)
    crash.check(not life.missed, "never reached: %s", ", ".join(life.missed))
    shutil.rmtree(folder)
    return life


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", default="")
    parser.add_argument("--step", action="append", help="only this one")
    args = parser.parse_args()
    try:
        run(args.seed or str(random.SystemRandom().randrange(1 << 32)), args.times, args.step)
    except crash.Failure as failure:
        print("FAILED: %s" % failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
