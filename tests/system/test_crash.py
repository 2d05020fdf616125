"""Fifty kills under load, and one at each step of the engine; tests/crash says what must hold. `make crash` and
`make crash-steps` do more."""

import sys
from pathlib import Path

import pytest

from harness import SLOW

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

import crash    # noqa: E402
import steps    # noqa: E402


CYCLES = 50 if SLOW == 1 else 16


def seed():
    return str(crash.random.SystemRandom().randrange(1 << 32))


def test_nothing_is_lost_and_little_repeated_over_many_kills():
    done = crash.run(CYCLES * 3 // 4, seed())
    # The load was real.
    assert len(done.file.last) > 2000
    assert done.flaky.repeats > 0


def test_progress_is_on_disk_with_the_next_block():
    crash.run(CYCLES // 4, seed(), calm=True)


@pytest.mark.plain
def test_a_kill_at_each_step_loses_nothing():
    steps.run(seed())
