"""Signs of greatest gains: floats and rationals agree on communicating models with both signs."""

from __future__ import annotations

import numpy as np
import pytest
from flint import fmpq

from tabular.planning import gain_sign as module
from tabular.planning.gain_sign import Component, gain_sign


def _ring(rng: np.random.Generator, n: int, extra: int) -> tuple[Component, Component]:
    """A ring, so that it communicates, and further random pairs; probabilities in quarters, small integer
    rewards.
    """
    rows = [(s, {(s + 1) % n: 4}, int(rng.integers(-3, 2))) for s in range(n)]
    for _ in range(extra):
        to = rng.integers(0, n, 4).tolist()
        rows.append((int(rng.integers(n)), {t: to.count(t) for t in to}, int(rng.integers(-3, 3))))
    rows.sort(key=lambda row: row[0])
    src = np.array([s for s, _, _ in rows])
    ptr = np.concatenate([[0], np.cumsum([len(to) for _, to, _ in rows])])
    dst = np.array([t for _, to, _ in rows for t in to])
    w = [k for _, to, _ in rows for k in to.values()]
    floats = Component(n, src, ptr, dst, np.array(w) / 4, np.array([float(r) for _, _, r in rows]))
    exact = Component(
        n,
        src,
        ptr,
        dst,
        np.array([fmpq(k, 4) for k in w], dtype=object),
        np.array([fmpq(r) for _, _, r in rows], dtype=object),
    )
    return floats, exact


def test_floats_and_rationals_tell_the_same_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    counts = {-1: 0, 0: 0, 1: 0, None: 0}
    for _ in range(300):
        floats, exact = _ring(rng, int(rng.integers(2, 9)), int(rng.integers(0, 8)))
        monkeypatch.setattr(module, "EXACT_STATES", 0)
        alone = gain_sign(floats, lambda: pytest.fail("rationals are not wanted here"))
        monkeypatch.setattr(module, "EXACT_STATES", 400)
        monkeypatch.setattr(module, "_bounds", lambda c, h: (-np.inf, np.inf))
        sign = gain_sign(floats, lambda exact=exact: exact)
        monkeypatch.undo()
        assert alone in (None, sign)
        assert (alone is None) == (sign == 0)
        counts[sign] += 1
    assert min(counts[k] for k in (-1, 0, 1)) > 10


def test_bounds_hold_the_gain_for_any_bias() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        floats, exact = _ring(rng, int(rng.integers(2, 7)), 5)
        g = module._policy_iteration(exact, module._solve_exact, fmpq(1), fmpq(0), None)[0]
        lower, upper = module._bounds(floats, rng.normal(size=floats.n))
        assert lower <= int(g.p) / int(g.q) <= upper


def test_a_model_that_is_singular_in_floats_goes_to_rationals(monkeypatch: pytest.MonkeyPatch) -> None:
    floats, exact = _ring(np.random.default_rng(7), 4, 3)
    expected = gain_sign(floats, lambda: exact)
    monkeypatch.setattr(module, "_solve_floats", lambda *_: None)
    assert gain_sign(floats, lambda: exact) == expected
