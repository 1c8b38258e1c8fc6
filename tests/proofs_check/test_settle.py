"""Settling decides, or says that it does not: an overlap that does not narrow is no tie, and nothing tiny is waved through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofs_check import Identity, Inequality, claim, families, policies, scalars
from proofs_check.claim import Claim
from proofs_check.runner import BUDGETS, verify
from proofs_check.settle import EngineFault

FAMILY = families.garnet(2, 2)


def made(body: Callable[..., Any], **draws: Any) -> Claim:
    return claim(id="settling.C1", family=FAMILY, draws=draws, instances=())(body)


def tied(ops: Any, c: Any, a: float, b: float) -> Any:
    """Greedy between two actions of one worth that no precision can compare: a or b."""
    t = ops.exp(c) * ops.exp(-c)
    pi = ops.first_max(ops.array(np.zeros(2), 1) + t)
    return ops.dot(pi, ops.array(np.array([a, b]), 1))


def test_an_overlap_that_does_not_narrow_is_no_tie() -> None:
    def inequality(ops: Any, m: Any, c: Any) -> Inequality:
        """103 <= 102 or 103.2 <= 102, with the left side in a wide ball."""
        return Inequality(100 + tied(ops, c, 3.0, 3.2), 103.1)

    def identity(ops: Any, m: Any, c: Any) -> Identity:
        """103 = 103.1."""
        return Identity(100 + tied(ops, c, 3.0, 3.2), 103.1)

    for body in (inequality, identity):
        found = verify(made(body, c=scalars(1.0, 2.0)), BUDGETS["quick"])
        assert found.verdict == "undecided"
        assert found.tally.open == 200


@pytest.mark.parametrize("bits", [40, 80, 120])
def test_what_is_false_on_a_thin_set_by_very_little_is_refuted(bits: int) -> None:
    """Beside true equalities, which only ever tie."""

    def body(ops: Any, m: Any, c: Any) -> Inequality:
        """exp(c) exp(-c) (1 + max(c - 3, 0) 2^-bits) <= 1, false where c > 3."""
        return Inequality(ops.exp(c) * ops.exp(-c) * (1 + ops.maximum(c - 3, 0) * ops.constant(2.0**-bits)), 1)

    assert verify(made(body, c=scalars(-4.0, 4.0)), BUDGETS["quick"]).verdict == "refuted"


def test_resolution_is_relative_to_the_sides_however_small() -> None:
    def body(ops: Any, m: Any, c: Any) -> Identity:
        """x = 2x for an x lost in the rounding of floats, on one instance in eight; zero elsewhere."""
        x = (1 + ops.maximum(c - 3, 0) * ops.exp(-40 * ops.maximum(c, 1))) - 1
        return Identity(x, 2 * x)

    assert verify(made(body, c=scalars(-4.0, 4.0)), BUDGETS["quick"]).verdict == "refuted"


def test_what_overflows_floats_is_settled_in_balls() -> None:
    def inequality(ops: Any, m: Any, c: Any) -> Inequality:
        """exp(1000 c) <= 2 exp(1000 c)."""
        return Inequality(ops.exp(1000 * c), 2 * ops.exp(1000 * c))

    def identity(ops: Any, m: Any, c: Any) -> Identity:
        """exp(1000 c)^2 = exp(2000 c)."""
        return Identity(ops.exp(1000 * c) ** 2, ops.exp(2000 * c))

    def false(ops: Any, m: Any, c: Any) -> Identity:
        """exp(1000 c)^2 = exp(2000 c) (1 + 1e-9)."""
        return Identity(ops.exp(1000 * c) ** 2, ops.exp(2000 * c) * (1 + ops.constant(1e-9)))

    for body, verdict in ((inequality, "holds"), (identity, "holds"), (false, "refuted")):
        assert verify(made(body, c=scalars(1.0, 2.0)), BUDGETS["quick"]).verdict == verdict


def test_zero_by_zero_is_undecided_on_its_instance_and_no_crash() -> None:
    def body(ops: Any, m: Any, c: Any) -> Inequality:
        """max(c, 0) / max(c, 0) <= 1: undefined where c is not positive."""
        return Inequality(ops.maximum(c, 0) / ops.maximum(c, 0), 1)

    found = verify(made(body, c=scalars(-4.0, 4.0)), BUDGETS["quick"])
    assert found.verdict == "undecided"
    assert 50 < found.tally.open < 150


def test_a_ratio_is_never_negative() -> None:
    def body(ops: Any, m: Any, c: Any) -> Inequality:
        """0 <= c."""
        return Inequality(c * 0, c)

    assert verify(made(body, c=scalars(1.0, 2.0)), BUDGETS["quick"]).ratio == 0.0


def test_a_kernel_that_returns_nan_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    from tabular.reference import KernelOps

    def body(ops: Any, m: Any, pi: Any) -> Identity:
        """A policy's value is the fixed point of its backup."""
        V = ops.evaluate(m, pi)
        return Identity(ops.policy_backup(m, pi, V), V, axes=("s",))

    honest = KernelOps.evaluate

    def lost(ops: Any, *given: Any) -> Any:
        value = honest(ops, *given)
        value.data[0, 0] = np.nan
        return value

    monkeypatch.setattr(KernelOps, "evaluate", lost)
    with pytest.raises(EngineFault, match="nan"):
        verify(made(body, pi=policies()), BUDGETS["quick"])
