"""The contract of every registered solver: each case is a test of its own, by name.

Against a naive twin (plain loops), an exact oracle (rationals, or balls of 300 bits), its own certificates,
the other representation, and at the edges: masks, endings, one state, one action, ties, discounts from 0 to 1
- 1e-9, weights over 48 orders of magnitude, regularisers that are not the project's own, total reward.

Every model meets every regulariser, and each of the two meets every solver at every discount (``covering``); that
all four meet in all ways is left to `make test-thorough`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import pytest

from tabular import (
    KL,
    MDP,
    FiniteHorizonMDP,
    ImproperModel,
    NotConverged,
    Shannon,
    ShannonKL,
    Solution,
    Status,
    Tsallis,
    TsallisKL,
    evaluate_policy,
)
from tabular.planning import SOLVERS
from tabular.reference import BallOps, RationalOps

EPS = np.finfo(float).eps
TOL = 1e-9
INFINITE = [name for name, s in SOLVERS.items() if s.horizon == "infinite"]
FINITE = [name for name, s in SOLVERS.items() if s.horizon == "finite"]


# -- models -------------------------------------------------------------------------------------------------
def weighted(seed: int, S: int = 5, A: int = 3, *, ending: bool = False, masked: bool = False) -> dict[str, Any]:
    """Integer weights and rewards, so that exact arithmetic has nothing to lift."""
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 4, size=(S, A, S)) * (rng.random((S, A, S)) < 0.6)
    w[..., 0] += 1
    R = rng.integers(-5, 6, size=(S, A)).astype(float)
    if masked:
        mask = rng.random((S, A)) < 0.6
        mask[np.arange(S), rng.integers(0, A, S)] = True
        R[~mask] = -np.inf
    return {"weights": w, "R": R, "end_weights": rng.integers(0, 3, size=(S, A)) if ending else None}


def ties() -> dict[str, Any]:
    """Three copies of one action, and two states that mirror each other."""
    w = np.zeros((3, 3, 3), dtype=int)
    w[0, :, 1] = w[0, :, 2] = w[1, :, 0] = w[2, :, 0] = 1
    return {"weights": w, "R": np.array([[0.0] * 3, [1.0] * 3, [1.0] * 3]), "end_weights": None}


def disconnected() -> dict[str, Any]:
    """Two chains that do not meet, an absorbing state among them."""
    w = np.zeros((4, 2, 4), dtype=int)
    w[0, 0, 1] = w[0, 1, 0] = w[1, :, 1] = w[2, 0, 3] = w[2, 1, 2] = w[3, :, 2] = 1
    return {"weights": w, "R": np.array([[0.0, 1], [3, 2], [-1, -2], [5, 0.5]]), "end_weights": None}


MODELS: dict[str, dict[str, Any]] = {
    "dense": weighted(1),
    "masks": weighted(2, masked=True),
    "ending": weighted(3, ending=True),
    "masks+ending": weighted(4, ending=True, masked=True),
    "one-state": weighted(5, S=1),
    "one-action": weighted(6, A=1),
    "one-of-each": weighted(7, S=1, A=1),
    "ties": ties(),
    "disconnected": disconnected(),
}
GAMMAS = {"0": 0.0, "half": 0.5, "0.9": 0.9, "0.99": 0.99, "1-1e-9": 1 - 1e-9}


def model(name: str, gamma: float) -> MDP:
    d = MODELS[name]
    return MDP.from_weights(d["weights"], d["R"], gamma, end_weights=d["end_weights"])


# -- regularisers -------------------------------------------------------------------------------------------
class Quadratic(NamedTuple):
    """A user's own: ``Omega(p) = w/2 |p|^2``; its maximiser projects on the simplex (sparsemax)."""

    w: float

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        # The threshold is the largest (sum of z over B - 1) / |B| over sets B of available actions.
        z = (Q - ops.max(Q, where=mask)[:, None]) / self.w  # no digits lost, however large the values
        t = best = ops.max(z, where=mask) - 1
        for n in range(2, z.shape[-1] + 1):
            for B in combinations(range(z.shape[-1]), n):
                mean = (sum((z[:, a] for a in B[1:]), z[:, B[0]]) - 1) / n
                t = ops.maximum(t, ops.where(mask[:, list(B)].all(axis=1), mean, best))
        return ops.where(mask, ops.maximum(z - t[:, None], ops.constant(0)), ops.constant(0))

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.log(self.policy(ops, Q, mask))

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        p = self.policy(ops, Q, mask)
        return ops.dot(p, Q) - self.value(ops, p, mask)  # Q is finite: zero where masked

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return ops.sum(pi * pi) * self.w / 2


class Twice(NamedTuple):
    """A user's own: twice another regulariser's weight, by the perspective of its conjugate."""

    inner: Shannon

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return self.inner.policy(ops, Q / 2, mask)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return self.inner.log_policy(ops, Q / 2, mask)

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return self.inner.conjugate(ops, Q / 2, mask) * 2

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return self.inner.value(ops, pi, mask) * 2


def reference(mdp: MDP) -> np.ndarray:
    """A skewed reference that excludes the last of three or more available actions."""
    w = np.where(mdp.mask, 1.0 + np.arange(mdp.A), 0.0)
    for s in np.flatnonzero(mdp.mask.sum(axis=1) >= 3):
        w[s, np.flatnonzero(mdp.mask[s])[-1]] = 0.0
    return w / w.sum(axis=1, keepdims=True)


REGULARIZERS: dict[str, Callable[[MDP], Any]] = {
    "hard": lambda m: None,
    "shannon": lambda m: Shannon(0.7),
    "kl": lambda m: KL(0.7, reference(m)),
    "shannon+kl": lambda m: ShannonKL(0.3, 0.9, reference(m)),
    **{f"tsallis-{q:g}": lambda m, q=q: Tsallis(0.7, q) for q in (0.5, 1, 1.5, 2, 3, 10)},
    **{f"tsallis-kl-{q:g}": lambda m, q=q: TsallisKL(0.7, q, reference(m)) for q in (0.5, 1, 1.5, 2, 3, 10)},
    "own-quadratic": lambda m: Quadratic(1.5),
    "own-twice": lambda m: Twice(Shannon(0.35)),
}
EXTREME = {f"tau=1e{k}": 10.0**k for k in (-300, -24, -12, -6, 6, 12, 24, 300)}


# -- oracles ------------------------------------------------------------------------------------------------
def naive_backup(mdp: MDP, V: np.ndarray, regularizer: Any) -> np.ndarray:
    """Loops, and the definition: the twin of everything that is fast."""
    out = np.empty(mdp.S)
    P = mdp.to_dense().P
    for s in range(mdp.S):
        q = {
            a: mdp.R[s, a] + mdp.gamma * sum(P[s, a, t] * V[t] for t in range(mdp.S))
            for a in range(mdp.A)
            if mdp.mask[s, a]
        }
        out[s] = naive_conjugate(q, s, regularizer)
    return out


def naive_conjugate(q: dict[int, float], s: int, regularizer: Any) -> float:
    match regularizer:
        case None:
            return max(q.values())
        case Shannon(tau):
            lam, mu = 0.0, dict.fromkeys(q, 1.0)
        case KL(lam, ref):
            tau, mu = 0.0, {a: ref[s, a] for a in q}
        case ShannonKL(tau, lam, ref):
            mu = {a: ref[s, a] for a in q}
        case Twice(inner):
            tau, lam, mu = 2 * inner.tau, 0.0, dict.fromkeys(q, 1.0)
        case Quadratic(w):
            return naive_quadratic(np.array(list(q.values())), w)
        case Tsallis(tau, 1) | TsallisKL(tau, 1, _):
            ref = getattr(regularizer, "reference", None)
            return naive_conjugate(q, s, Shannon(tau) if ref is None else KL(tau, ref))
        case Tsallis(tau, index):
            return naive_tsallis(np.array(list(q.values())), np.ones(len(q)), tau, index)
        case TsallisKL(lam, index, ref):
            live = [a for a in q if ref[s, a] > 0]
            return naive_tsallis(np.array([q[a] for a in live]), ref[s, live], lam, index)
    w, top = tau + lam, max(x for a, x in q.items() if mu[a] > 0)
    return top + w * np.log(sum(mu[a] ** (lam / w) * np.exp((x - top) / w) for a, x in q.items() if mu[a] > 0))


def naive_tsallis(x: np.ndarray, mu: np.ndarray, w: float, index: float) -> float:
    """The stationary policy as it is printed, its constant by bisection, then the objective."""
    c = index - 1

    def policy(v: float) -> np.ndarray:
        return mu * np.maximum(c * (x - v) / (index * w), 0) ** (1 / c)

    # The best action alone has mass one at `one`, and all have at most that together at `none`.
    one, none = (x.max() - index * w / c * p**c for p in (1 / mu[x.argmax()], 1 / mu.sum()))
    for _ in range(200):
        mid = (one + none) / 2
        one, none = (mid, none) if policy(mid).sum() > 1 else (one, mid)
    v = (one + none) / 2
    p = policy(v)  # the Lagrangian is stationary in v: what p lacks to mass one counts to second order
    return float(v + p @ (x - v) - w / c * ((p**index * mu**-c).sum() - 1))


def naive_quadratic(q: np.ndarray, w: float) -> float:
    """By bisection for the threshold."""
    low, high = q.max() / w - 1, q.max() / w
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if np.maximum(q / w - mid, 0).sum() > 1 else (low, mid)
    p = np.maximum(q / w - low, 0)
    return float(p @ q - w / 2 * p @ p)


def exact_value(mdp: MDP, regularizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on V*: in rationals without regulariser, else in balls."""
    ops = RationalOps() if regularizer is None else BallOps(300)
    return ops.bounds(ops.optimal_value(ops.model(mdp), regularizer))


@cache
def known_value(name: str, reg: str, gamma: str) -> tuple[np.ndarray, np.ndarray]:
    """The same for a model and a regulariser by name: once for all solvers."""
    mdp = model(name, GAMMAS[gamma])
    return exact_value(mdp, REGULARIZERS[reg](mdp))


def check_solution(mdp: MDP, regularizer: Any, sol: Solution, lower: np.ndarray, upper: np.ndarray) -> None:
    """What every solution promises, given bounds on the exact value."""
    assert sol.status in (Status.CONVERGED, Status.ROUNDING_FLOOR)
    scale = max(np.abs(mdp.rewards).max(), np.abs(sol.V).max())
    c = sol.certificates["V - V*"]
    # The certificate encloses V - V*; both enclosures hold, so that they meet.
    assert (c.lower <= sol.V - lower + EPS * scale).all() and (c.upper >= sol.V - upper - EPS * scale).all()
    assert np.abs(sol.V - lower).max() <= sol.error_bound + (upper - lower).max() + EPS * scale
    assert sol.error_bound <= max(TOL, 8 * (mdp.S + 8) * EPS / (1 - mdp.gamma) if mdp.gamma < 1 else 0) * scale
    if sol.status is Status.CONVERGED:
        assert sol.error_bound <= TOL * scale
    check_shape(mdp, regularizer, sol)


def check_shape(mdp: MDP, regularizer: Any, sol: Solution) -> None:
    """V, Q and pi belong together; policies are policies."""
    V, Q, pi, log_pi = sol.V, sol.Q, sol.pi, sol.log_pi
    assert np.isfinite(V).all() and np.isfinite(Q[mdp.mask]).all()
    assert (Q[~mdp.mask] == -np.inf).all() and (pi[~mdp.mask] == 0).all() and (log_pi[~mdp.mask] == -np.inf).all()
    assert not np.isnan(pi).any() and not np.isnan(log_pi).any()
    assert np.abs(pi.sum(axis=1) - 1).max() <= 8 * mdp.A * EPS
    some = pi > 1e-300
    assert np.abs(np.exp(log_pi[some]) / pi[some] - 1).max() <= 64 * EPS * max(1.0, np.abs(log_pi[some]).max())
    P = mdp.to_dense().P
    noise = (mdp.S + 8) * EPS * max(np.abs(mdp.rewards).max(), np.abs(V).max())
    assert np.abs(Q - (mdp.rewards + mdp.gamma * P @ V))[mdp.mask].max() <= 4 * noise  # Q is the backup of V
    if regularizer is None:
        best = np.where(mdp.mask, Q, -np.inf).max(axis=1)
        assert set(np.unique(pi)) <= {0.0, 1.0}
        assert (best - np.where(pi == 1, Q, -np.inf).max(axis=1) <= 8 * noise).all()


def run(name: str, mdp: MDP, regularizer: Any, **options: Any) -> Solution:
    return SOLVERS[name].function(mdp, regularizer, tol=TOL, **options)


# -- cases --------------------------------------------------------------------------------------------------
def covering(first: Iterable[Any], second: Iterable[Any], *others: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Tuples in which each of ``first`` meets each of ``second``, and each of these each combination of the others.

    One tuple for each pair of the first two, with the combination that has met them least; then what is still missing.
    """
    first, second = list(first), list(second)
    rest = list(product(*others))
    met: dict[Any, int] = {}

    def taken(x: Any, y: Any, choice: Any) -> tuple[Any, ...]:
        for key in ((1, x, choice), (2, y, choice)):
            met[key] = met.get(key, 0) + 1
        return x, y, *choice

    cases = []
    for i, x in enumerate(first):
        for j, y in enumerate(second):
            turned = rest[(i + j) % len(rest) :] + rest[: (i + j) % len(rest)]
            cases.append(taken(x, y, min(turned, key=lambda c: met.get((1, x, c), 0) + met.get((2, y, c), 0))))
    for i, choice in enumerate(rest):
        cases += [taken(x, second[i % len(second)], choice) for x in first if (1, x, choice) not in met]
        cases += [taken(first[i % len(first)], y, choice) for y in second if (2, y, choice) not in met]
    return cases


@pytest.mark.parametrize(
    ("sizes", "most"), [((9, 18, 3, 3), 162), ((9, 18, 2), 162), ((2, 3, 5, 7), 140), ((1, 4, 2), 8)]
)
def test_a_covering_covers(sizes: tuple[int, ...], most: float) -> None:
    cases = covering(*(range(n) for n in sizes))
    assert len(cases) == len(set(cases)) <= most
    for kept in ((0, 1), (0, *range(2, len(sizes))), (1, *range(2, len(sizes)))):
        assert {tuple(c[i] for i in kept) for c in cases} == set(product(*(range(sizes[i]) for i in kept)))


# -- the contract -------------------------------------------------------------------------------------------
DISCOUNTS = ["0", "half", "0.99"]


@pytest.mark.parametrize(("name", "reg", "solver", "gamma"), covering(MODELS, REGULARIZERS, INFINITE, DISCOUNTS))
def test_agrees_with_exact_value_and_naive_twin(name: str, reg: str, solver: str, gamma: str) -> None:
    agrees(name, reg, solver, gamma)


@pytest.mark.thorough
@pytest.mark.parametrize("solver", INFINITE)
def test_every_combination_agrees(solver: str) -> None:
    for name, reg, gamma in product(MODELS, REGULARIZERS, DISCOUNTS):
        agrees(name, reg, solver, gamma)
    for name, reg in product(MODELS if SOLVERS[solver].near_one else (), REGULARIZERS):
        next_to_one(solver, name, reg)


def agrees(name: str, reg: str, solver: str, gamma: str) -> None:
    mdp = model(name, GAMMAS[gamma])
    regularizer = REGULARIZERS[reg](mdp)
    sol = run(solver, mdp, regularizer)
    check_solution(mdp, regularizer, sol, *known_value(name, reg, gamma))
    scale = max(np.abs(mdp.rewards).max(), np.abs(sol.V).max())
    residual = np.abs(naive_backup(mdp, sol.V, regularizer) - sol.V).max()
    assert residual <= 2 * sol.error_bound + 64 * mdp.S * EPS * scale


@pytest.mark.parametrize(
    ("name", "reg"), [(m, r) for i, m in enumerate(MODELS) for j, r in enumerate(REGULARIZERS) if (i + j) % 3 == 0]
)
@pytest.mark.parametrize("solver", [s for s in INFINITE if SOLVERS[s].near_one])
def test_discount_next_to_one(solver: str, name: str, reg: str) -> None:
    """Each model under a third of the regularisers, and each regulariser on a third of the models."""
    next_to_one(solver, name, reg)


def next_to_one(solver: str, name: str, reg: str) -> None:
    mdp = model(name, GAMMAS["1-1e-9"])
    regularizer = REGULARIZERS[reg](mdp)
    check_solution(mdp, regularizer, run(solver, mdp, regularizer), *known_value(name, reg, "1-1e-9"))


@pytest.mark.parametrize("reg", REGULARIZERS)
@pytest.mark.parametrize("solver", INFINITE)
def test_discount_next_to_one_where_the_span_shrinks(solver: str, reg: str) -> None:
    """No ending and one recurrent class: any solver may use the span, and then the discount costs nothing."""
    mdp = model("dense", GAMMAS["1-1e-9"])
    regularizer = REGULARIZERS[reg](mdp)
    sol = run(solver, mdp, regularizer, max_iter=2000)
    check_solution(mdp, regularizer, sol, *known_value("dense", reg, "1-1e-9"))
    assert sol.status is Status.CONVERGED


@pytest.mark.parametrize(
    ("reg", "name", "solver"), covering(REGULARIZERS, ["dense", "masks", "ending", "masks+ending"], INFINITE)
)
def test_dense_equals_sparse(reg: str, name: str, solver: str) -> None:
    mdp = model(name, 0.9)
    regularizer = REGULARIZERS[reg](mdp)
    dense, sparse = (run(solver, m, regularizer) for m in (mdp, mdp.to_sparse()))
    assert np.abs(dense.V - sparse.V).max() <= dense.error_bound + sparse.error_bound
    check_shape(mdp, regularizer, sparse)


@pytest.mark.parametrize("tau", EXTREME)
@pytest.mark.parametrize("gamma", ["0", "half", "0.99", "1-1e-9"])
@pytest.mark.parametrize("kind", ["shannon", "kl", "shannon+kl"])
@pytest.mark.parametrize("solver", INFINITE)
def test_extreme_weights(solver: str, kind: str, gamma: str, tau: str) -> None:
    """From far below to far above the rewards: finite, certified, and the limits where they are reached."""
    w = EXTREME[tau]
    mdp = model("dense" if gamma == "1-1e-9" else "masks+ending", GAMMAS[gamma])
    regularizer = {
        "shannon": lambda: Shannon(w),
        "kl": lambda: KL(w, reference(mdp)),
        "shannon+kl": lambda: ShannonKL(w, w, reference(mdp)),
    }[kind]()
    if kind != "kl" and w > 1e290 and gamma == "1-1e-9":  # values of 1e309
        with pytest.raises(NotConverged, match="infinite or NaN"):
            run(solver, mdp, regularizer)
        return
    sol = run(solver, mdp, regularizer)
    check_shape(mdp, regularizer, sol)
    scale = max(np.abs(mdp.rewards).max(), np.abs(sol.V).max())
    assert (
        sol.error_bound <= max(TOL, 8 * (mdp.S + 8) * EPS / (1 - mdp.gamma)) * scale
    )  # rounding of a backup, summed up
    support = mdp.mask if kind == "shannon" else reference(mdp) > 0
    if w <= 1e-12:  # softmax is one-hot, or uniform on ties of the size of rounding
        hard = MDP(mdp.P, np.where(support, mdp.R, -np.inf), mdp.gamma, end=mdp.end)
        best = run(solver, hard, None)
        assert np.abs(sol.V - best.V).max() <= sol.error_bound + best.error_bound + 4e-12 * scale
    later = kind == "shannon+kl" or (kind == "shannon" and gamma != "0")  # where later entropy counts as well
    if w >= 1e24 and not later:
        limit = reference(mdp) if kind == "kl" else mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
        assert np.abs(sol.pi - limit).max() <= 64 * EPS


@pytest.mark.parametrize(
    ("kind", "index", "tau", "solver"),
    [
        (*case, tau, solver)
        for case, tau, solver in covering(
            product(["tsallis", "tsallis-kl"], [0.5, 1.5, 2, 10]),
            [k for k, w in EXTREME.items() if 1e-12 <= w <= 1e6],
            INFINITE,
        )
    ],
)
def test_extreme_weights_of_tsallis(kind: str, index: float, tau: str, solver: str) -> None:
    w, mdp = EXTREME[tau], model("masks+ending", 0.99)
    regularizer = Tsallis(w, index) if kind == "tsallis" else TsallisKL(w, index, reference(mdp))
    sol = run(solver, mdp, regularizer)
    check_solution(mdp, regularizer, sol, *exact_value(mdp, regularizer))


@pytest.mark.parametrize("solver", INFINITE)
def test_overflow_is_named(solver: str) -> None:
    mdp = model("dense", GAMMAS["1-1e-9"])
    sol = run(solver, mdp, Shannon(1e305), throw=False)
    assert sol.status is Status.NONFINITE and sol.error_bound == np.inf


@pytest.mark.parametrize(
    ("reg", "start", "solver"),
    covering(REGULARIZERS, ["V0", "pi0"], [s for s in INFINITE if SOLVERS[s].warm]),
)
def test_warm_start(reg: str, start: str, solver: str) -> None:
    mdp = model("masks+ending", 0.9)
    regularizer = REGULARIZERS[reg](mdp)
    first = run(solver, mdp, regularizer)
    again = run(solver, mdp, regularizer, **({"V0": first.V} if start == "V0" else {"pi0": first.pi}))
    assert again.iterations <= 3
    assert np.abs(first.V - again.V).max() <= first.error_bound + again.error_bound


@pytest.mark.parametrize("reg", REGULARIZERS)
@pytest.mark.parametrize("solver", INFINITE)
def test_policy_gap_bounds_the_loss_of_the_policy(solver: str, reg: str) -> None:
    mdp = model("masks+ending", GAMMAS["0.9"])
    regularizer = REGULARIZERS[reg](mdp)
    sol = run(solver, mdp, regularizer)
    lower, _ = known_value("masks+ending", reg, "0.9")
    own = evaluate_policy(mdp, sol.pi, regularizer)
    assert (lower - own).max() <= sol.policy_gap + 64 * EPS * np.abs(sol.V).max()
    assert sol.policy_gap <= 1e-6 * np.abs(sol.V).max()


# -- total reward -------------------------------------------------------------------------------------------
def corridor(n: int = 6) -> MDP:
    """Go right at a cost of 1, slip with probability 1/4; or wait for nothing; the last step pays 3."""
    P, R, end = np.zeros((n, 2, n)), np.zeros((n, 2)), np.zeros((n, 2))
    for s in range(n):
        P[s, 0, s] = 0.25
        if s + 1 < n:
            P[s, 0, s + 1] = 0.75
        else:
            end[s, 0] = 0.75
        R[s, 0] = -1.0 + (3 * 0.75 if s == n - 1 else 0.0)
        P[s, 1, s] = 1.0
    return MDP(P, R, 1, end=end)


def corridor_values(n: int = 6) -> list[Fraction]:
    """Going from k steps before the end costs 4/3 a step; waiting is worth nothing."""
    return [max(Fraction(0), 3 - Fraction(4, 3) * (n - s)) for s in range(n)]


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("solver", [s for s in INFINITE if SOLVERS[s].total_reward])
def test_total_reward(solver: str, form: str) -> None:
    mdp = corridor() if form == "dense" else corridor().to_sparse()
    sol = run(solver, mdp, None)
    exact = np.array([float(x) for x in corridor_values()])
    check_solution(mdp, None, sol, exact, exact)
    assert np.abs(evaluate_policy(mdp, sol.pi) - exact).max() <= 1e-12
    assert sol.status is Status.CONVERGED


def total(gamma: Any) -> MDP:
    d = weighted(8, ending=True)
    return MDP.from_weights(d["weights"], d["R"], gamma, end_weights=d["end_weights"] + 1)


@cache
def known_total(reg: str) -> tuple[np.ndarray, np.ndarray]:
    near = total(1 - Fraction(1, 2**40))
    return exact_value(near, REGULARIZERS[reg](near))


@pytest.mark.parametrize("reg", [r for r in REGULARIZERS if r != "hard"])
@pytest.mark.parametrize("solver", [s for s in INFINITE if SOLVERS[s].total_reward])
def test_total_reward_regularised(solver: str, reg: str) -> None:
    """Every step may end: finite whatever the regulariser. The limit of discounts is the oracle."""
    mdp = total(1)
    regularizer = REGULARIZERS[reg](mdp)
    sol = run(solver, mdp, regularizer)
    lower, upper = known_total(reg)
    slack = 2.0**-40 * 1000 * max(1.0, np.abs(lower).max())  # the expected number of steps is far below a thousand
    assert (lower - slack - sol.error_bound <= sol.V).all() and (sol.V <= upper + slack + sol.error_bound).all()
    assert sol.status is Status.CONVERGED
    check_shape(mdp, regularizer, sol)


@pytest.mark.parametrize("solver", [s for s in INFINITE if SOLVERS[s].total_reward])
def test_total_reward_where_the_reference_forbids_to_stay(solver: str) -> None:
    """No policy of finite divergence waits, so that waiting makes no end component: going has its price."""
    mdp = corridor()
    going = np.tile([1.0, 0.0], (mdp.S, 1))
    sol = run(solver, mdp, KL(0.5, going))
    assert np.abs(sol.V - [3 - 4 / 3 * (mdp.S - s) for s in range(mdp.S)]).max() <= 1e-8


@pytest.mark.parametrize("start", ["V0", "pi0"])
@pytest.mark.parametrize("reg", ["hard", "shannon"])
@pytest.mark.parametrize("solver", [s for s in INFINITE if SOLVERS[s].total_reward and SOLVERS[s].warm])
def test_total_reward_warm_start(solver: str, reg: str, start: str) -> None:
    """Good starts, and one whose greedy policy never ends."""
    regularizer = None if reg == "hard" else Shannon(0.25)
    mdp = MDP(corridor().P, corridor().R - 1.0, 1, end=corridor().end)  # where waiting costs
    first = run(solver, mdp, regularizer)
    starts = [{"V0": first.V}, {"V0": np.arange(mdp.S) * -50.0}] if start == "V0" else [{"pi0": first.pi}]
    for options in starts:
        again = run(solver, mdp, regularizer, **options)
        assert again.status is Status.CONVERGED
        assert np.abs(first.V - again.V).max() <= first.error_bound + again.error_bound


@pytest.mark.parametrize("solver", [s for s in INFINITE if SOLVERS[s].total_reward])
def test_total_reward_without_end_is_refused(solver: str) -> None:
    with pytest.raises(ImproperModel, match="positive gain"):
        run(solver, MDP([[[1.0]]], [[1.0]], 1), None)
    with pytest.raises(ImproperModel):
        run(solver, MDP([[[1.0], [1.0]]], [[0.0, 0.0]], 1), Shannon(0.1))


# -- finite horizon -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "reg", "solver", "form"), covering(MODELS, REGULARIZERS, FINITE, ["dense", "sparse"]))
def test_finite_horizon(name: str, reg: str, solver: str, form: str) -> None:
    H, one = 7, model(name, 0.75)
    terminal = np.arange(one.S) - 1.5
    fh = FiniteHorizonMDP(one.P, one.R, H=H, end=one.end, gamma=0.75, terminal=terminal)
    regularizer = REGULARIZERS[reg](one)
    sol = run(solver, fh if form == "dense" else fh.to_sparse(), regularizer)
    V = [terminal]
    for _ in range(H):
        V.insert(0, naive_backup(one, V[0], regularizer))
    scale = max(np.abs(one.rewards).max(), np.abs(sol.V).max())
    assert sol.V.shape == (H + 1, one.S) and sol.Q.shape == sol.pi.shape == (H, one.S, one.A)
    assert np.abs(sol.V - np.array(V)).max() <= sol.error_bound + 64 * H * one.S * EPS * scale
    assert sol.error_bound <= 1e-13 * scale
    assert np.abs(sol.pi.sum(axis=-1) - 1).max() <= 8 * one.A * EPS
    W = terminal
    for h in reversed(range(H)):  # the policy earns what V says
        W = evaluate_once(one, sol.pi[h], W, regularizer)
        assert np.abs(W - sol.V[h]).max() <= 1e-12 * scale


def evaluate_once(mdp: MDP, pi: np.ndarray, V: np.ndarray, regularizer: Any) -> np.ndarray:
    from tabular.reference import NumpyOps

    ops = NumpyOps()
    return ops.midpoint(ops.policy_backup(ops.model(mdp), ops.array(pi, 2), ops.array(V, 1), regularizer))
