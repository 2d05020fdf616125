"""Calls of the daemon on its store that fail; tests/faults/faults.py says what must hold. `make faults` does all."""

import sys
from pathlib import Path

import pytest

from harness import SLOW

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

import faults   # noqa: E402


@pytest.mark.skipif(SLOW > 1, reason="a sanitizer must be the first library that is loaded")
def test_failing_calls_lose_nothing():
    faults.run(str(faults.random.SystemRandom().randrange(1 << 32)), 40)
