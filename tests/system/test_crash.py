"""Fifty kills under load; tests/crash/crash.py says what must hold. `make crash` does thousands."""

import sys
from pathlib import Path

from harness import SLOW

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

import crash    # noqa: E402


def test_nothing_is_lost_and_little_repeated_over_fifty_kills():
    cycles = 50 if SLOW == 1 else 15
    done = crash.run(cycles, seed=str(crash.random.SystemRandom().randrange(1 << 32)))
    # The load was real.
    assert len(done.file.last) > 100 * cycles / SLOW
    assert done.flaky.repeats > 0
