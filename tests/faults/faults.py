"""Lets calls of patchbay on its store fail, one kind after the other, under load; starts it again, and checks what
it promised.

    make faults SEED=7 COUNT=40

tests/faults/faults.so makes the N-th call of a kind fail with an error. The daemon may go on, refuse what it is
sent, or end by itself and say why; what must hold afterwards is what tests/crash/crash.py checks. Which
calls there are, a run without a fault tells.
"""

import argparse
import collections
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

import crash                                        # noqa: E402
from engine import TESTS                            # noqa: E402
from harness import SLOW, read, wait_until          # noqa: E402

WRITES = ("write", "pwrite", "pwritev", "writev")
LOAD = 0.3      # seconds of load after the start


def errors(call):
    """What the call may fail with."""
    name = call.split("@")[0]
    if name in WRITES:
        return ("EIO", "ENOSPC", "SHORT", "EINTR", "KILL")
    if name in ("open", "create", "mmap"):
        return ("EIO", "ENOMEM", "EMFILE", "ENOSPC", "EACCES")
    if name == "pread":
        return ("EIO", "EINTR", "SHORT")
    return ("EIO", "ENOSPC", "KILL")


class Faults(crash.Crash):
    def __init__(self, folder, seed):
        super().__init__(folder, seed, calm=False)
        self.calls = self.folder / "calls"
        self.ended = collections.Counter()

    def environment(self, fault):
        env = {"LD_PRELOAD": str(TESTS / "faults" / "faults.so"),
               "PATCHBAY_FAULT_UNDER": str(self.daemon.state)}
        return {**env, "PATCHBAY_FAULT": fault} if fault else {**env, "PATCHBAY_FAULT_LOG": str(self.calls)}

    def prepare(self):
        """Let each start do all that starts do: cut a torn end, remove what was being made, make the reserve."""
        journal = self.daemon.state / "journal"
        if not journal.exists():
            return
        with sorted(journal.glob("*.seg"))[-1].open("ab") as newest:
            newest.write(b"PBBK, torn")
        (journal / "00000000000fffff.seg.new").write_bytes(b"")
        (self.daemon.state / "state" / "reserve").unlink(missing_ok=True)

    def one(self, fault):
        """One run with the fault."""
        self.run += 1
        self.prepare()
        self.daemon.env = self.environment(fault)
        self.daemon.start(wait=False)
        self.load.start()
        wait_until(lambda: not self.daemon.running() or " ready: " in self.daemon.fresh, 20,
                   "%s: it starts or says why not" % fault)
        ended = self.daemon.ends_within(LOAD * SLOW)
        if self.run % 3 == 0 and not ended:
            self.daemon.send(signal.SIGTERM)
            self.load.pause()
            wait_until(lambda: not self.daemon.running(), 20, "%s: it stops" % fault)
        when = time.monotonic()
        self.look_how(fault)
        self.look(when)
        self.invariants()

    def look_how(self, fault):
        """How it ended, if it did."""
        if self.daemon.running():
            self.daemon.kill()
            self.ended["went on"] += 1
            return
        status = self.daemon.ended()
        killed = status == -signal.SIGKILL and fault is not None and fault.endswith("KILL")
        crash.check(killed or status in (0, 1), "%s: ended with %d\n%s", fault, status, self.daemon.fresh[-3000:])
        if status == 1:
            said = [line for line in self.daemon.fresh.splitlines() if " error " in line]
            crash.check(said, "%s: ended and did not say why\n%s", fault, self.daemon.fresh[-3000:])
        self.ended["killed" if killed else "ended" if status == 1 else "stopped"] += 1

    def learn(self):
        """The kinds of calls, and how often each comes in a run."""
        for _ in range(3):
            self.one(None)
        found = collections.Counter(read(self.calls).decode().split())
        return {call: max(1, n // 3) for call, n in found.items()}


def all_faults(calls, chance):
    made = []
    for call, n in sorted(calls.items()):
        for error in errors(call):
            for nth in {1, 2, chance.randrange(1, n + 1), chance.randrange(1, min(n, 50) + 1)}:
                made.append("%s/%d/%s" % (call, nth, error))
            if error in ("EIO", "ENOSPC"):
                made.append("%s/%d+/%s" % (call, chance.randrange(1, min(n, 20) + 1), error))
    chance.shuffle(made)
    return made


def run(seed, count=0, fault=None, say=print):
    """`count` faults by lot, 0: all. Raises crash.Failure; the folder is kept then."""
    folder = Path(tempfile.mkdtemp(prefix="pb-faults-"))
    folder.chmod(0o755)
    say("seed %s, in %s" % (seed, folder))
    life, one = Faults(folder, seed), None
    try:
        calls = life.learn()
        say(", ".join("%s %d" % item for item in sorted(calls.items())))
        faults = all_faults(calls, random.Random(seed))
        for one in [fault] if fault else faults[:count or None]:
            life.one(one)
        life.daemon.env = None
        acked, dead = life.finish()
    except BaseException:
        life.daemon.kill()
        say("kept: %s (seed %s, fault %s)" % (folder, seed, one))
        raise
    finally:
        life.sizes.ending.set()
    say("%s; %d events acknowledged, %d dead letters"
        % (", ".join("%s %d" % item for item in life.ended.items()), len(acked), sum(map(len, dead.values()))))
    for lane in (life.file, life.flaky, life.parts, life.strict):
        say(str(lane))
    shutil.rmtree(folder)
    return life


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--seed", default="")
    parser.add_argument("--fault", help="only this one: CALL@PART/N/HOW")
    args = parser.parse_args()
    try:
        run(args.seed or str(random.SystemRandom().randrange(1 << 32)), args.count, args.fault)
    except crash.Failure as failure:
        print("FAILED: %s" % failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
