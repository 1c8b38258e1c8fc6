"""What public functions refuse, and how they say it: one table of calls that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.sparse import csr_array

from tabular import (
    KL,
    MDP,
    FiniteHorizonMDP,
    MDPBatch,
    Shannon,
    backup,
    evaluate_policy,
    exact_policy_iteration,
    greedy,
    modified_policy_iteration,
    occupancy,
    policy_iteration,
    q_values,
    solve,
    value_iteration,
)
from tabular.certificates import (
    certify,
    certify_finite,
    certify_total,
    exact_backward_induction,
    model_error,
    rational_certificate,
    refine,
)
from tabular.instances import gridworld
from tabular.interchange import npz
from tabular.operators import transition_matrix
from tabular.planning import backward_induction
from tabular.regularizers import regularizer

P2 = [[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5]]]
R2 = [[1.0, 0.0], [0.0, 2.0]]
UNIFORM = np.full((2, 2), 0.5)
M = MDP(P2, R2, 0.5, rho=[0.5, 0.5])
FH = FiniteHorizonMDP(P2, R2, H=3)
BATCH = MDPBatch.stack([M, M])
V, SOL = np.zeros(2), solve(M)
NO_MODELS = {"None": None, "str": "FrozenLake-v1", "ndarray": np.zeros((2, 2))}

OF_AN_MDP: dict[str, Callable[[Any], Any]] = {
    "backup": lambda m: backup(m, V),
    "q_values": lambda m: q_values(m, V),
    "greedy": lambda m: greedy(m, V),
    "occupancy": lambda m: occupancy(m, UNIFORM, V),
    "transition_matrix": lambda m: transition_matrix(m, UNIFORM),
    "value_iteration": value_iteration,
    "policy_iteration": policy_iteration,
    "modified_policy_iteration": modified_policy_iteration,
    "certify": lambda m: certify(m, V),
    "certify_total": lambda m: certify_total(m, V),
    "refine": lambda m: refine(m, V),
    "exact_policy_iteration": exact_policy_iteration,
    "rational_certificate": lambda m: rational_certificate(m, V),
}
OF_STAGES: dict[str, Callable[[Any], Any]] = {
    "backward_induction": backward_induction,
    "certify_finite": lambda m: certify_finite(m, V),
    "exact_backward_induction": exact_backward_induction,
}
OF_BOTH: dict[str, Callable[[Any], Any]] = {
    "solve": solve,
    "evaluate_policy": lambda m: evaluate_policy(m, UNIFORM),
    "model_error": model_error,
}


@pytest.mark.parametrize("given", ["FiniteHorizonMDP", "MDPBatch", *NO_MODELS])
@pytest.mark.parametrize("name", OF_AN_MDP)
def test_what_takes_an_mdp_says_so(name: str, given: str) -> None:
    model = {"FiniteHorizonMDP": FH, "MDPBatch": BATCH, "None": None, "str": "x", "ndarray": V}[given]
    hint = {"FiniteHorizonMDP": r" \(backward_induction solves it.*stage", "MDPBatch": r" \(its members.*batch\[i\]"}
    with pytest.raises(TypeError, match=f"^{name} takes an MDP, not {type(model).__name__}{hint.get(given, '$')}"):
        OF_AN_MDP[name](model)


@pytest.mark.parametrize("given", ["MDP", "MDPBatch", *NO_MODELS])
@pytest.mark.parametrize("name", OF_STAGES)
def test_what_takes_stages_says_so(name: str, given: str) -> None:
    model = ({"MDP": M, "MDPBatch": BATCH} | NO_MODELS)[given]
    with pytest.raises(TypeError, match=f"^{name} takes a FiniteHorizonMDP, not {type(model).__name__}"):
        OF_STAGES[name](model)


@pytest.mark.parametrize("given", ["MDPBatch", *NO_MODELS])
@pytest.mark.parametrize("name", OF_BOTH)
def test_what_takes_both_says_so(name: str, given: str) -> None:
    model = ({"MDPBatch": BATCH} | NO_MODELS)[given]
    with pytest.raises(TypeError, match=f"^{name} takes an MDP or a FiniteHorizonMDP, not {type(model).__name__}$"):
        OF_BOTH[name](model)


@regularizer
class ReturnsQ(NamedTuple):
    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return Q

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.gibbs(Q, 1.0, where=mask)


@regularizer
class ReturnsNone(NamedTuple):
    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.max(Q, where=mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return None


@regularizer
class WrongValue(NamedTuple):
    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.free_energy(Q, 1.0, where=mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.gibbs(Q, 1.0, where=mask)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return ops.xlogx(pi)


BY_NEXT = np.ones((1, 1, 1))
BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    # models
    "from_exact": (lambda: MDP.from_exact(M), TypeError, r"from_exact takes an ExactModel, not MDP \(mdp.exact\(\)"),
    "stack a model": (lambda: MDPBatch.stack(M), TypeError, "expected a sequence of MDPs, not MDP"),
    "stack batches": (lambda: MDPBatch.stack([BATCH]), TypeError, "member 0 of a batch takes an MDP, not MDPBatch"),
    "concatenate models": (lambda: MDPBatch.concatenate([M]), TypeError, "place 0 takes an MDPBatch, not MDP"),
    "concatenate one": (lambda: MDPBatch.concatenate(M), TypeError, "expected a sequence of batches, not MDP"),
    "gridworld": (lambda: gridworld(None, gamma=1), TypeError, "the map is NoneType: expected text"),
    "npz limit": (lambda: npz.load("x", max_bytes="a"), TypeError, "max_bytes is 'a': expected an integer"),
    "npz no limit": (lambda: npz.load("x", max_bytes=0), ValueError, "max_bytes is 0: at least 1"),
    "npz model": (lambda: npz.save("x", None), TypeError, "save takes an MDP or a FiniteHorizonMDP or an MDPBatch"),
    "stage": (lambda: FH.stage("a"), TypeError, "stage 'a': expected an integer"),
    "stage 1.0": (lambda: FH.stage(1.0), TypeError, "stage 1.0: expected an integer"),
    "horizon": (lambda: FiniteHorizonMDP(P2, R2, H=10**12), ValueError, "H is 1000000000000: at most 10000000 stages"),
    "R sparse": (lambda: MDP(P2, [csr_array(R2)], 0.5), TypeError, r"R\[0\] is a csr_array.*dense \(toarray\)"),
    "P list": (lambda: MDP([csr_array(R2)] * 2, R2, 0.5), TypeError, r"P\[0\] is a csr_array: expected real numbers"),
    "R huge": (lambda: MDP(P2, [[10**400, 0], [0, 0]], 0.5), ValueError, r"R\[0, 0\] is beyond the range of float64"),
    "labels": (lambda: MDP(P2, R2, 0.5, state_labels="ab"), TypeError, "state_labels is a str: expected 2 names"),
    "labels of actions": (lambda: MDP(P2, R2, 0.5, action_labels="ab"), TypeError, "action_labels is a str"),
    "renormalise": (lambda: MDP(P2, R2, 0.5, renormalise=float("nan")), TypeError, "renormalise is nan: expected True"),
    "renormalise stages": (lambda: FiniteHorizonMDP(P2, R2, H=1, renormalise=1), TypeError, "renormalise is 1: expec"),
    "renormalise batch": (lambda: MDPBatch([P2], [R2], 0.5, renormalise="no"), TypeError, "renormalise is 'no'"),
    "copy": (lambda: MDP(P2, R2, 0.5, copy="no"), TypeError, "copy is 'no': expected True or False"),
    "end_reward inf": (
        lambda: MDP(BY_NEXT / 2, BY_NEXT, 0.5, end=[[0.5]], end_reward=[[np.inf]]), ValueError, r"end_reward\[0, 0\] is i"
    ),
    # regularisers
    "reference": (
        lambda: solve(M, KL(1.0, [[0.5, 0.4], [0.5, 0.5]])), ValueError, r"reference\[0\] sums to 0.9.*divide them by t"
    ),
    "conjugate": (lambda: solve(M, ReturnsQ()), TypeError, r"conjugate of ReturnsQ returns shape \(2, 2\): expected \(2"),
    "policy": (lambda: backup(M, V, ReturnsNone()), TypeError, "policy of ReturnsNone returns NoneType: expected a Value"),
    "value": (lambda: certify(M, V, WrongValue()), TypeError, r"value of WrongValue returns shape \(2, 2\): expected \(2,"),
    "exact, regularised": (
        lambda: exact_policy_iteration(M, Shannon(0.1)), TypeError, r"has no regularizer \(Shannon was given as pi0\)"
    ),
    "solution of another": (
        lambda: certify(M, solve(M, Shannon(0.5)), Shannon(0.1)), ValueError, "found with another regularizer"
    ),
    "hard solution": (lambda: refine(M, SOL, Shannon(0.1)), ValueError, r"another regularizer \(Hard\) than .*\(Shannon\)"),
    "proof of another": (
        lambda: rational_certificate(M, SOL, regularizer=Shannon(0.1)), ValueError, "found with another regularizer"
    ),
    # options
    "want": (lambda: certify(M, V, want=-1), ValueError, "want is -1: expected a number from 0"),
    "want nan": (lambda: certify(M, V, want=float("nan")), ValueError, "want is nan"),
    "want, stages": (lambda: certify_finite(FH, np.zeros((4, 2)), want=-1), ValueError, "want is -1"),
    "gap 0": (lambda: rational_certificate(M, V, gap=0), ValueError, "gap is 0: expected a positive number"),
    "gap -1": (lambda: rational_certificate(M, V, gap=-1), ValueError, "gap is -1: expected a positive number"),
    "threads text": (lambda: solve(M, threads="x"), TypeError, "threads is 'x': expected an integer"),
    "threads 0": (lambda: solve(M, threads=0), ValueError, "threads is 0: at least 1"),
    "threads -1": (lambda: solve(FH, threads=-1), ValueError, "threads is -1: at least 1"),
    "throw": (lambda: solve(M, throw="no"), TypeError, "throw is 'no': expected True or False"),
    "throw, stages": (lambda: solve(FH, throw=None), TypeError, "throw is None: expected True or False"),
    "method": (lambda: solve(M, method=["x"]), ValueError, "method is .'x'.: expected 'auto'"),
    "actions": (lambda: certify(M, V, pi=[0, 2]), ValueError, r"pi\[1\] is 2: actions are 0 ... 1"),
    "actions, stages": (
        lambda: certify_finite(FH, np.zeros((4, 2)), pi=[[0, 0], [0, 2], [0, 0]]), ValueError, r"stage 1: pi\[1\] is 2"
    ),
    "policy, stages": (lambda: evaluate_policy(FH, UNIFORM), ValueError, r"pi has shape \(2, 2\): expected \(3, 2, 2\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str) -> None:
    call, error, message = BAD[name]
    with pytest.raises(error, match=message):
        call()


# -- what is right --------------------------------------------------------------------------------------------
def test_rewards_of_endings() -> None:
    """A step ends with probability 1/2 and then earns 6; else it earns 2."""
    expected = MDP([[[0.5]]], [[4.0]], 0.5, end=[[0.5]])
    assert MDP([[[0.5]]], [[[2.0]]], 0.5, end=[[0.5]], end_reward=[[6.0]]) == expected
    doubled = MDP([[[1.0]]], [[[2.0]]], 0.5, end=[[1.0]], end_reward=[[6.0]], renormalise=True)
    assert doubled == expected
    exact = MDP.from_weights([[[1]]], [[[2]]], 0.5, end_weights=[[1]], end_reward=[[6]])
    assert exact.rewards.tolist() == [[4.0]]
    assert MDP([[[1.0]]], [[[2.0]]], 0.5, end=[[0.0]]).rewards.tolist() == [[2.0]]  # nothing ends


def test_integers_beyond_64_bits() -> None:
    mdp = MDP(P2, [[2**70, 0], [0, -(2**63) - 1]], 0.5)
    assert mdp.rewards.tolist() == [[2.0**70, 0.0], [0.0, -(2.0**63)]]
    assert mdp.exact().R[3] == -(2**63) - 1


@pytest.mark.parametrize("gamma", [1 - 1e-9, 0.9999999999999999, 0.99999951], ids=repr)
def test_discounts_near_one_are_told_from_one(gamma: float) -> None:
    assert f"gamma={gamma!r}," in repr(MDP(P2, R2, gamma))
    assert f"gamma={gamma!r}," in repr(FiniteHorizonMDP(P2, R2, H=2, gamma=gamma))
    assert f"gamma=0.5...{gamma!r}" in repr(MDPBatch([P2, P2], [R2, R2], [0.5, gamma]))


def test_whole_solutions_have_certificates() -> None:
    for reg in (None, Shannon(0.5), KL(1.0, UNIFORM)):
        sol = solve(M, reg)
        assert certify(M, sol)["V - V*"].upper.tolist() == certify(M, sol.V, reg)["V - V*"].upper.tolist()
        assert float(certify(M, sol)["max(V* - V^pi)"].upper) < 1e-9
        assert refine(M, sol)[0].tolist() == refine(M, sol.V, reg)[0].tolist()
    staged = solve(FH, Shannon(0.5))
    assert float(np.abs(certify_finite(FH, staged)["V - V*"].upper).max()) < 1e-12


def test_actions_are_policies() -> None:
    one_hot = np.array([[1.0, 0.0], [0.0, 1.0]])
    a, b = certify(M, V, pi=[0, 1]), certify(M, V, pi=one_hot)
    assert a["V - V^pi"].upper.tolist() == b["V - V^pi"].upper.tolist()


def test_solutions_know_their_regularizer() -> None:
    for model in (M, FH):
        assert solve(model).regularizer is None and solve(model, Shannon(0)).regularizer is None
        sol = solve(model, Shannon(1))
        assert sol.regularizer == Shannon(1.0) == sol.asdict()["regularizer"]
        assert "Shannon(tau=1.0)" in repr(sol) and "regularizer" not in repr(solve(model))
    assert "KL(lam=1.0, reference=...)" in repr(solve(M, KL(1.0, UNIFORM)))


def test_what_is_proved_is_what_was_solved() -> None:
    sol = solve(M, Shannon(0.5))
    certificate = rational_certificate(M, sol)
    assert certificate["regularizer"]["tau"] == "1/2"
    assert all(
        float(lo_) - 1e-9 <= x <= float(hi_) + 1e-9
        for lo_, x, hi_ in zip(*map(_floats, (certificate["V_lo"], sol.V, certificate["V_hi"])), strict=True)
    )


def _floats(values: Any) -> list[float]:
    from fractions import Fraction

    return [float(Fraction(x)) for x in values]


def test_policies_of_a_finite_horizon() -> None:
    rng = np.random.default_rng(3)
    P, R = rng.dirichlet(np.ones(4), (3, 4, 2)), rng.normal(size=(3, 4, 2))
    fh = FiniteHorizonMDP(P, R, terminal=[1.0, 2.0, 3.0, 4.0], gamma=0.75)
    pi = rng.dirichlet(np.ones(2), (3, 4))
    W = fh.terminal
    values = [W]
    for h in (2, 1, 0):
        W = np.array([sum(pi[h, s, a] * (R[h, s, a] + 0.75 * P[h, s, a] @ W) for a in range(2)) for s in range(4)])
        values.insert(0, W)
    V = evaluate_policy(fh, pi)
    assert V.shape == (4, 4) and np.abs(V - np.array(values)).max() < 1e-14
    assert np.abs(evaluate_policy(fh.to_sparse(), pi) - V).max() < 1e-14
    actions = rng.integers(0, 2, (3, 4))
    one_hot = (actions[..., None] == np.arange(2)).astype(float)
    assert evaluate_policy(fh, actions).tolist() == evaluate_policy(fh, one_hot).tolist()
    soft = solve(fh, Shannon(0.5))
    assert np.abs(evaluate_policy(fh, soft.pi, Shannon(0.5)) - soft.V).max() < 1e-13
    with pytest.raises(ValueError, match=r"pi\[0, 1\] is .* where the reference is 0"):
        evaluate_policy(fh, pi, KL(1.0, np.array([[1.0, 0.0]] * 4)))
