"""Formulas over ``ops``: what they may contain, and the identities they satisfy in every arithmetic."""

from __future__ import annotations

import ast
import inspect
import textwrap
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest

from tabular import MDP, regularizers
from tabular.reference import BallOps, EnclosureOps, KernelOps, NumpyOps, RationalOps, operators
from tabular.regularizers import KL, Hard, Shannon

ARITHMETICS = [NumpyOps, KernelOps, EnclosureOps, BallOps, RationalOps]
BRANCHES = (ast.If, ast.IfExp, ast.While, ast.BoolOp, ast.Assert, ast.Try, ast.Match)


def faults(tree):
    """What a formula must not contain: NumPy, branches and comparisons (but ``is None``), assignment to items, ``float(...)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in (
            "np",
            "numpy",
            "math",
            "float",
            "int",
            "bool",
            "max",
            "min",
            "abs",
            "sum",
            "sorted",
        ):
            yield node.id
        if isinstance(node, (*BRANCHES, ast.Compare)):
            test = node.test if isinstance(node, (ast.If, ast.IfExp)) else node
            if not (isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Is, ast.IsNot))):
                yield type(node).__name__
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            yield "assignment to an item"


def test_formulas_decide_nothing():
    assert not list(faults(ast.parse(inspect.getsource(operators))))
    for cls in (Hard, Shannon, KL, regularizers.ShannonKL):
        for name in ("conjugate", "log_policy", "policy", "value"):
            source = inspect.getsource(getattr(cls, name))
            assert not list(faults(ast.parse(textwrap.dedent(source)))), (cls, name)
    for bad in ("np.exp(x)", "y = x if x > 0 else 0", "x[0] = 1", "max(x, y)", "while x: pass", "x < y", "x and y"):
        assert list(faults(ast.parse(bad))), bad


def model(S=4, A=3, seed=0):
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 9, (S, A, S + 1))
    w[..., 0] += 1
    P = np.array([[[Fraction(int(x), int(row.sum())) for x in row] for row in block] for block in w], dtype=object)
    R = rng.integers(-8, 9, (S, A)) / 4.0
    R[1, -1] = -np.inf
    return MDP(P[..., :S], R, Fraction(9, 10), end=P[..., S], rho=np.array([Fraction(1, S)] * S, dtype=object))


def policy(ops, mdp):
    return ops.distribution((np.arange(mdp.A) + 1 + np.arange(mdp.S)[:, None]) * mdp.mask)


def zero(ops, x):
    """Whether a value is zero as far as the arithmetic tells."""
    if isinstance(ops, NumpyOps):
        return bool(np.all(np.abs(x.data) <= 1e-13))
    low, high = ops.bounds(x)
    return bool(np.all((low <= 0) & (high >= 0) & (high - low < (1e-10 if isinstance(ops, EnclosureOps) else 1e-25))))


@pytest.fixture
def ops(request):
    """The arithmetic; balls at their own precision."""
    made = request.param()
    with made if isinstance(made, BallOps) else nullcontext():
        yield made


@pytest.mark.parametrize("ops", ARITHMETICS, ids=lambda c: c.__name__, indirect=True)
def test_identities(ops):
    mdp = model()
    m, pi = ops.model(mdp), policy(ops, mdp)
    V = ops.evaluate(m, pi)
    assert zero(ops, ops.policy_backup(m, pi, V) - V)
    assert zero(ops, ops.dot(pi, operators.q_of_policy(ops, m, pi)) - V)
    visits = ops.occupancy(m, pi)
    # reward of the visits, and their balance: visits(s) = rho(s) + gamma sum visits(s', a) P(s | s', a)
    assert zero(ops, ops.sum(ops.sum(visits * m.R)) - ops.dot(m.rho, V))
    assert zero(ops, operators.state_visits(ops, m, pi) - ops.sum(visits))
    passed = ops.sum(ops.sum(visits * (1 - m.gamma * operators.successor_mass(ops, m))))
    assert zero(ops, passed - 1)
    best = ops.optimal_value(m)
    assert zero(ops, operators.residual(ops, m, best))
    assert zero(ops, ops.policy_backup(m, operators.policy_of(ops, m, best), best) - best)
    ones = ops.expect(m.P, ops.array(np.ones(mdp.S), 1))
    assert zero(ops, ones - operators.successor_mass(ops, m))


@pytest.mark.parametrize("ops", [NumpyOps, KernelOps, EnclosureOps, BallOps], ids=lambda c: c.__name__, indirect=True)
def test_regularised_identities(ops):
    mdp = model()
    m, pi = ops.model(mdp), policy(ops, mdp)
    for reg in (Shannon(0.5), KL(2.0, np.where(mdp.mask, 1, 0))):
        V = ops.evaluate(m, pi, reg)
        assert zero(ops, ops.policy_backup(m, pi, V, reg) - V)
        best = ops.optimal_value(m, reg)
        greedy = operators.policy_of(ops, m, best, reg)
        assert zero(ops, ops.policy_backup(m, greedy, best, reg) - best)
        assert np.all(ops.midpoint(best) >= ops.midpoint(V))


def test_finite_horizons_against_enumeration():
    """Backward induction, a Markov policy's values and its visits, in rationals, by hand-written recursions."""
    mdp, ops, H = model(S=3, A=2), RationalOps(), 3
    mdp = MDP(mdp.P, mdp.R, 0.5, end=mdp.end)
    m = ops.model(mdp)
    e = mdp.exact()
    row, R = (lambda s, a: e.row(s, a)), (lambda s, a: e.R[s * 2 + a])
    V = [Fraction(0)] * 3
    values = [V]
    for _ in range(H):
        V = [
            max(R(s, a) + e.gamma * sum(p * V[t] for t, p in row(s, a).items()) for a in range(2) if e.mask[s, a])
            for s in range(3)
        ]
        values.insert(0, V)
    zero = ops.array(np.zeros(3), 1)
    got = operators.backward_induction(ops, [m] * H, zero)
    assert [ops.fractions(v).tolist() for v in got] == values
    pi = ops.distribution(np.array([[1, 1], [1, 0], [0, 1]]))
    p = ops.fractions(pi)
    d = [Fraction(1), Fraction(0), Fraction(0)]
    visits = [d]
    for _ in range(H):
        d = [sum(d[s] * p[s, a] * row(s, a).get(t, 0) for s in range(3) for a in range(2)) for t in range(3)]
        visits.append(d)
    got = operators.forward_visits(ops, [m] * H, ops.array(np.array([1, 0, 0]), 1), [pi] * H)
    assert [ops.fractions(v).tolist() for v in got] == visits
    own = operators.policy_induction(ops, [m] * H, zero, [pi] * H)
    start = ops.fractions(own[0])[0]
    assert start == sum(
        e.gamma**k * sum(visits[k][s] * p[s, a] * R(s, a) for s in range(3) for a in range(2)) for k in range(H)
    )
