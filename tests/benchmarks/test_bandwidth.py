"""The roof is one: what reads and writes memory is limited by it, not by the loop."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmarks import bandwidth, pool


def test_numbers_are_loaded_side_by_side() -> None:
    """Gathered one by one, as an iterator leaves them, they come at less than half the speed of the memory."""
    total, combine = bandwidth.loops()
    x = np.arange(1000.0)
    assert total(x) == x.sum()
    a = np.empty(1000)
    combine(a, x, 2 * x)
    assert (a == 7 * x).all()
    (code,) = total.inspect_llvm().values()
    assert re.search(r"load <\d+ x double>", code)


def test_parts_are_all_of_it() -> None:
    read, triad = bandwidth.kernels()
    x, a = np.arange(1001.0), np.zeros(1001)
    assert read(x, 3) == x.sum()
    triad(a, x, x, 3)
    assert (a == 4 * x).all()
    found = bandwidth.measure(size=1000, tries=1)
    assert found["read 1"] > 0 and found["triad 1"] > 0


def test_processes_keep_what_they_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each compiles all of its sources anew, and that is what is measured."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONHASHSEED", "3")
    found = pool.environment()
    assert "PYTHONDONTWRITEBYTECODE" not in found and found["PYTHONHASHSEED"] == "3"
