"""Every certificate contains the exact answer, and is not much wider than the error."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import solve
from tabular.certificates import certify, exact_policy_iteration, model_error, refine
from tabular.mdp import MDP
from tabular.reference import BallOps, RationalOps, operators
from tabular.reference.optimal import newton_step, propose
from tabular.regularizers import KL, Hard, Shannon, ShannonKL, checked
from tabular.regularizers import regularizer as own_regularizer


def fractions(values: Any) -> list[Fraction]:
    return [Fraction(int(x.p), int(x.q)) for x in values]


def approximation(rng: np.random.Generator, mdp: MDP, regularizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Float values as a solver returns them, and what a solver may have stopped at."""
    V = propose(mdp, regularizer, None)
    scale = max(float(np.abs(V).max()), 1e-300)
    kind = rng.integers(3)
    if kind == 0:
        return V, V.copy()
    if kind == 1:
        return V, V + scale * 10.0 ** rng.uniform(-14, 0) * rng.standard_normal(mdp.S)
    return V, V + scale * 10.0 ** rng.uniform(-14, 0)


def soft_values(ops: BallOps, m: Any, regularizer: Any, start: np.ndarray) -> Any:
    """Optimal values in balls: Newton's method in 300 bits from ``start``, then the residual of a
    contraction.
    """
    x = ops.array(start, 1)
    for _ in range(5):
        x = ops.inflate(newton_step(ops, m, x, regularizer)[0], ops.constant(0))
    return ops.inflate(x, ops.norm(operators.residual(ops, m, x, regularizer)) / (1 - m.gamma))


def test_hard_certificates_contain_the_exact_answer_and_are_tight(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(2024))
    ratios = []
    for i in range(1500):
        mdp = random_model(rng)
        V_float, V = approximation(rng, mdp, Hard())
        pi = random_policy(rng, mdp.mask)
        found = certify(mdp, V, pi=pi, precision=("auto", "double", "doubled")[i % 3])
        star = exact_policy_iteration(mdp).V
        ops = RationalOps()
        own = fractions(operators.evaluate(ops, ops.model(mdp), ops.distribution(pi)).data)
        error = [Fraction(float(v)) - x for v, x in zip(V, star, strict=True)]
        for exact, name in (
            (error, "V - V*"),
            ([Fraction(float(v)) - x for v, x in zip(V, own, strict=True)], "V - V^pi"),
        ):
            c = found[name]
            assert all(lo <= x <= hi for lo, x, hi in zip(c.lower.tolist(), exact, c.upper.tolist(), strict=True)), (
                i,
                mdp,
                name,
            )
        gap = max(x - y for x, y in zip(star, own, strict=True))
        assert found["max(V* - V^pi)"].lower <= gap <= found["max(V* - V^pi)"].upper
        size = float(max(abs(x) for x in error))
        if i % 3 != 1 and size > 100 * 2.0**-52 * np.abs(V_float).max():
            c = found["V - V*"]
            ratios.append(max(-c.lower.min(), c.upper.max()) / size)
    assert len(ratios) > 300
    assert np.median(ratios) < 1.01
    assert max(ratios) < 10


def test_soft_certificates_contain_the_answer_in_balls_and_are_tight(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    ratios = []
    for i in range(600):
        mdp = random_model(rng)
        mu = random_policy(rng, mdp.mask)
        tau, lam = (float(10.0 ** rng.uniform(-12, 12)) for _ in range(2))
        regularizer = checked([Shannon(tau), KL(lam, mu), ShannonKL(tau, lam, mu)][i % 3], mdp.mask)
        V_float, V = approximation(rng, mdp, regularizer)
        pi = random_policy(rng, mdp.mask)
        pi = mu if i % 3 else pi
        scale = float(np.abs(mdp.rewards).max() + max(regularizer[:2] if i % 3 == 2 else regularizer[:1])) / (
            1 - mdp.gamma
        )
        found = certify(mdp, V, regularizer, pi, precision=("auto", "double")[i % 2])
        ops = BallOps(300)
        with ops:
            m = ops.model(mdp)
            star = soft_values(ops, m, regularizer, refine(mdp, V, regularizer)[0])
            own = operators.evaluate(ops, m, ops.distribution(pi), regularizer)
            v = ops.array(V, 1)
            inside = {
                "V - V*": ops.bounds(v - star),
                "V - V^pi": ops.bounds(v - own),
                "max(V* - V^pi)": ops.bounds(ops.max(star - own)),
            }
        for name, (lo, hi) in inside.items():
            c = found[name]
            assert (hi - lo <= 1e-40 * scale + 1e-12 * np.abs(hi)).all()
            assert (c.lower <= hi).all() and (lo <= c.upper).all(), (i, mdp, regularizer, name)
        error = float(np.abs(inside["V - V*"]).max())
        if i % 2 == 0 and error > 100 * 2.0**-52 * max(np.abs(V_float).max(), 1e-40 * scale):
            c = found["V - V*"]
            ratios.append(max(-c.lower.min(), c.upper.max()) / error)
    assert len(ratios) > 80
    assert np.median(ratios) < 1.01


def test_refined_values_carry_thirty_digits(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    for _ in range(300):
        mdp = random_model(rng)
        h, low, bound = refine(mdp, np.zeros(mdp.S))
        star = exact_policy_iteration(mdp).V
        off = [abs(Fraction(float(x)) + Fraction(float(y)) - v) for x, y, v in zip(h, low, star, strict=True)]
        assert all(x <= b for x, b in zip(off, bound.tolist(), strict=True))
        assert (bound <= 1e-20 * max(np.abs(h).max(), np.abs(mdp.rewards).max()) + 1e-300).all()
        assert (h == [float(v) for v in star]).all()  # correctly rounded


def test_dense_is_sparse(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    for _ in range(100):
        mdp = random_model(rng, gamma=0.9)
        V = rng.standard_normal(mdp.S)
        pi = random_policy(rng, mdp.mask)
        dense, sparse = (certify(m, V, pi=pi) for m in (mdp.to_dense(), mdp.to_sparse()))
        lift, other = (float(x.pop("V*(floats) - V*").upper) for x in (dense, sparse))
        assert lift <= 8 * other <= 64 * lift  # rows are summed in trees of different depth
        for name, c in dense.items():
            scale = np.abs(c.upper).max() + np.abs(c.lower).max() + 1e-300
            np.testing.assert_allclose(c.lower, sparse[name].lower, atol=1e-9 * scale)
            np.testing.assert_allclose(c.upper, sparse[name].upper, atol=1e-9 * scale)


def test_one_state_geometric_series() -> None:
    mdp = MDP(np.ones((1, 1, 1)), np.ones((1, 1)), Fraction(9, 10))
    c = certify(mdp, np.array([10.0]))["V - V*"]  # V* = 10 exactly, though the float 0.9 is not 9/10
    assert c.lower[0] <= 0 <= c.upper[0]
    assert c.upper[0] < 1e-13
    h, low, bound = refine(mdp, np.array([3.0]))
    assert abs(h[0] + low[0] - 10.0) == 0.0
    assert bound[0] < 1e-26


def test_puterman_two_states() -> None:
    # Puterman 1994, section 3.1, discount 19/20: V* = (-60/7, -20)
    P = np.array([[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.0, 0.0]]])
    mdp = MDP(P, np.array([[5.0, 10.0], [-1.0, -np.inf]]), Fraction(19, 20))
    h, _, bound = refine(mdp, np.zeros(2))
    assert h[0] == -60 / 7 and h[1] == -20.0
    assert bound.max() < 1e-27
    c = certify(mdp, np.array([-8.5, -20.0]))["V - V*"]
    assert c.lower[0] <= Fraction(1, 14) <= c.upper[0]


@pytest.mark.parametrize("tau", [1e-12, 1.0, 1e12])
def test_entropy_of_idle_actions(tau: float) -> None:
    mdp = MDP(np.ones((1, 3, 1)), np.zeros((1, 3)), 0.5)
    h, _, bound = refine(mdp, np.zeros(1), Shannon(tau))
    assert h[0] == pytest.approx(2 * tau * np.log(3), rel=1e-15)
    assert bound[0] < 1e-26 * tau


def test_rows_that_lose_mass_break_the_textbook_bound() -> None:
    # every action ends, rewards one: V* = 1; MacQueen's gamma/(1-gamma) [min d, max d] adds what a mass
    # that is not there would earn
    mdp = MDP(np.zeros((2, 1, 2)), np.array([[1.0], [1.0]]), 0.99, end=np.ones((2, 1)))
    d = 1.0  # TV - V at V = 0
    assert 0.99 / 0.01 * d > 90  # what the textbook takes for a lower bound on V* - TV
    c = certify(mdp, np.zeros(2), precision="double")["V - V*"]
    assert (c.lower <= -1.0).all() and (c.upper >= -1.0).all()
    np.testing.assert_allclose(c.lower, c.upper, rtol=1e-14)


def test_what_is_good_enough_is_not_refined(random_model: Any, random_policy: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(21))
    cheap = 0
    for i in range(200):
        mdp = random_model(rng, gamma=float(rng.choice([0.9, 0.999, 1 - 1e-6])))
        regularizer = Shannon(float(10.0 ** rng.uniform(-3, 3))) if i % 2 else Hard()
        V_float, V = approximation(rng, mdp, regularizer)
        pi = random_policy(rng, mdp.mask)
        tight, double = (certify(mdp, V, regularizer, pi, precision=p) for p in ("auto", "double"))
        want = float(np.abs(V_float).max()) * 10.0 ** rng.uniform(-12, 0)
        found = certify(mdp, V, regularizer, pi, want=want)
        for name in ("V - V*", "V - V^pi"):
            in_floats, best, c = (max(x[name].upper.max(), -x[name].lower.min()) for x in (double, tight, found))
            assert c == (in_floats if in_floats <= want else best)
            cheap += bool(best < c)
        assert certify(mdp, V, regularizer, pi, want=0.0)["V - V*"].upper.max() == tight["V - V*"].upper.max()
    assert cheap > 50


def test_a_regularizer_without_a_value_says_nothing_of_policies() -> None:
    @own_regularizer
    class Plain(NamedTuple):
        def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
            return ops.max(Q, where=mask)

        def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
            return ops.first_max(Q, where=mask)

    P, R = np.full((2, 2, 2), 0.5), np.array([[1.0, 2.0], [0.0, 1.0]])
    sol = solve(MDP(P, R, 0.9), Plain())
    assert sol.error_bound < 1e-13 and sol.policy_gap == np.inf
    ending = MDP(P / 2, R, 1, end=np.full((2, 2), 0.5))
    found = certify(ending, np.zeros(2), Plain(), np.full((2, 2), 0.5))
    assert np.isfinite(found["V - V*"].upper).all() and "V - V^pi" not in found


def test_enormous_and_tiny_rewards_stay_rigorous(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(8))
    for power in (-300, -200, 200, 290):
        for _ in range(20):
            base = random_model(rng, gamma=0.9)
            R = np.where(base.mask, np.sign(base.rewards) * 10.0**power * rng.random(base.mask.shape), -np.inf)
            mdp = MDP(base.P, R, 0.9, end=base.end)
            V = propose(mdp, Hard(), None)
            c = certify(mdp, V)["V - V*"]
            star = exact_policy_iteration(mdp).V
            assert all(
                lo <= Fraction(float(v)) - x <= hi
                for lo, v, x, hi in zip(c.lower.tolist(), V, star, c.upper.tolist(), strict=True)
            )


def test_model_error_bounds_what_the_lift_changes(random_model: Any) -> None:
    rng = np.random.Generator(np.random.PCG64(9))
    for _ in range(100):
        mdp = random_model(rng, gamma=float(rng.choice([0.3, 0.9, 0.99])))
        lifted = exact_policy_iteration(mdp)
        # the floats as they are, rows exactly as given: value of the lift's optimal policy and of every
        # improvement
        S, A = mdp.S, mdp.A
        P = mdp.to_dense().P
        gamma = Fraction(mdp.gamma)
        V = [Fraction(float(x)) for x in (float(v) for v in lifted.V)]
        for _ in range(3):  # |T_F V_L - V_L| / (1 - gamma) bounds the distance from below and above up to contraction
            T = [
                max(
                    Fraction(float(mdp.rewards[s, a]))
                    + gamma * sum(Fraction(float(p)) * v for p, v in zip(P[s, a], V, strict=True))
                    for a in range(A)
                    if mdp.mask[s, a]
                )
                for s in range(S)
            ]
            V = T
        bound = Fraction(model_error(mdp))
        one_step = max(abs(x - y) for x, y in zip(T, lifted.V, strict=True))
        rounding = Fraction(2) ** -52 * max(abs(x) for x in lifted.V)  # V started from rounded values
        assert one_step <= bound + rounding
    assert model_error(MDP(np.full((2, 1, 2), 0.5), np.ones((2, 1)), 0.5)) < 1e-28


def test_bad_input_is_refused() -> None:
    mdp = MDP(np.full((2, 2, 2), 0.5), np.array([[1.0, -np.inf], [0.0, 1.0]]), 0.5)
    with pytest.raises(ValueError, match=r"V has shape \(3,\)"):
        certify(mdp, np.zeros(3))
    with pytest.raises(ValueError, match=r"V\[1\] is nan"):
        certify(mdp, np.array([0.0, np.nan]))
    with pytest.raises(TypeError, match="dtype"):
        certify(mdp, np.array(["a", "b"]))
    with pytest.raises(ValueError, match=r"pi\[0, 1\] is 0.5, but the action is unavailable"):
        certify(mdp, np.zeros(2), pi=np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match=r"pi\[1\] sums to"):
        certify(mdp, np.zeros(2), pi=np.array([[1.0, 0.0], [0.5, 0.6]]))
    with pytest.raises(ValueError, match="precision"):
        certify(mdp, np.zeros(2), precision="quad")
