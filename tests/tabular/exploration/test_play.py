"""The loop: its draws have the laws of the model, its values are those of the solvers, and its bits depend on nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from tabular import MDP, FiniteHorizonMDP, ModelError, backward_induction, evaluate_policy
from tabular.exploration import (
    PSRL,
    RF_UCRL,
    UCB_H,
    UCBVI_CH,
    Hoeffding,
    OptimisticPlanning,
    Play,
    Random,
    RF_Express,
    SoftOptimisticPlanning,
    Weissman,
    episodic,
    interact,
    register_learner,
)
from tabular.instances import deep_sea, river_swim, waiting_tree
from tabular.regularizers import Shannon

RARE = 1e-9
"""Exact binomial tails of a test, over all its cells together. Seeds are fixed, so a test that passes passes for ever."""


class StagedRandom(NamedTuple):
    """Uniform actions, counted step by step."""


class Nothing(NamedTuple):
    unused: np.ndarray


def _plan(learner: Any, world: Any, counts: Any, own: Any, policy: Any, key: Any, k: int) -> int:
    policy.pi[:] = 1.0 / world.A
    return int(world.H)


register_learner(StagedRandom, plan=_plan, workspace=lambda x, w: Nothing(np.zeros(1)), per_step=True, stochastic=True)


def staged_model(S: int = 4, A: int = 2, H: int = 5, seed: int = 0) -> FiniteHorizonMDP:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(S, 0.5), size=(H, S, A))
    return FiniteHorizonMDP(P, rng.random((H, S, A)), H=H, rho=rng.dirichlet(np.ones(S)), renormalise=True)


def improbability(seen: np.ndarray, n: np.ndarray, p: np.ndarray) -> float:
    """The smaller of both exact binomial tails, the least over all cells, times twice their number."""
    tails = np.minimum(stats.binom.cdf(seen, n, p), stats.binom.sf(seen - 1, n, p))
    return float(2 * tails.size * tails.min())


def test_states_actions_successors_and_rewards_have_their_laws() -> None:
    model, K = staged_model(), 20_000
    play = Play(model, StagedRandom(), K, 3, rewards="bernoulli")
    play.advance()
    d = np.zeros((model.H, model.S))
    d[0] = model.rho
    P = np.stack([model.stage(h).P for h in range(model.H)])
    for h in range(model.H - 1):
        d[h + 1] = np.einsum("s,sat->t", d[h] / model.A, P[h])
    pairs = np.repeat(d[..., None] / model.A, model.A, axis=2)
    assert improbability(play.visits, np.full_like(play.visits, K), pairs) > RARE
    w = play.world
    owner = np.repeat(np.arange(len(w.R)), np.diff(w.indptr))
    assert improbability(play.counts.seen, play.counts.visits[owner], w.mass) > RARE
    assert improbability(play.counts.reward, play.counts.visits, w.R) > RARE
    # The same bounds notice a model that differs a little.
    assert improbability(play.visits, np.full_like(play.visits, K), pairs * 1.2) < RARE
    assert improbability(play.counts.seen, play.counts.visits[owner], np.roll(w.mass, 1)) < RARE


def test_successive_draws_are_independent() -> None:
    """Pairs of fair coins: of one episode at successive steps, and of successive episodes at one step."""
    coin = episodic(MDP(np.full((2, 1, 2), 0.5), np.zeros((2, 1)), 0.5, rho=[0.5, 0.5]), 4)
    K, play = 4000, Play(coin, Random(), 4000, 9)
    rows = []
    for _ in range(K):
        before = play.visits[0, :, 0].copy()
        play.advance(1)
        rows.append((play.visits[0, :, 0] - before)[1])
    ones = np.array(rows)  # of four coins an episode
    assert improbability(np.bincount(ones, minlength=5), np.full(5, K), stats.binom.pmf(np.arange(5), 4, 0.5)) > RARE
    same = np.array([(ones[1:] > 2).astype(int) @ (ones[:-1] > 2)])
    assert improbability(same, np.array([K - 1]), np.array([(5 / 16) ** 2])) > RARE / 10


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rho", [None, [0.25, 0.25, 0.5], [Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)]])
def test_episodes_of_a_model_are_those_of_its_arrays(sparse: bool, rho: Any) -> None:
    """As built from the arrays, with every check of them; masked actions, ends and the start among them."""
    R = np.array([[0.5, -np.inf], [0.25, 1.0], [0.0, 0.0]])
    end = np.array([[0.0, 0.0], [0.125, 0.0], [0.0, 0.5]])
    P = (1.0 - end)[..., None] * np.array([0.5, 0.25, 0.25])
    mdp = MDP(P, R, Fraction(1, 2), end=end, rho=[0.5, 0.25, 0.25], state_labels=["a", "b", "c"], name="mine")
    mdp = mdp.to_sparse() if sparse else mdp
    found = episodic(mdp, 4, rho=rho)
    wanted = FiniteHorizonMDP(
        mdp.csr() if sparse else mdp.P, R, H=4, end=end, rho=mdp.rho if rho is None else rho, name="mine"
    )
    assert found == wanted and repr(found) == repr(wanted) and found.stage(0) == wanted.stage(0)
    assert found.is_exact == wanted.is_exact and found.is_sparse == sparse and found.stage(0).gamma == 1
    assert episodic(MDP(P + end[..., None] / 3, R, 0.5), 4).rho is None


@pytest.mark.parametrize("learner", [UCB_H(0.1, 0.05), StagedRandom()], ids=["deterministic", "stochastic"])
def test_values_are_those_of_the_solvers(learner: Any) -> None:
    model, K = staged_model(), 300
    play = Play(model, learner, K, 1)
    best = backward_induction(model)
    np.testing.assert_allclose(play.world.V_star, best.V, rtol=0, atol=1e-12)
    regret = 0.0
    for _ in range(K):
        pi = play.policy.act.copy() if isinstance(learner, UCB_H) else np.full((model.H, model.S, model.A), 0.5)
        play.advance(1)
        V = evaluate_policy(model, pi)
        assert play.value == pytest.approx(float(model.rho @ V[0]), abs=1e-12)
        regret += float(model.rho @ (best.V[0] - V[0]))
        assert play.regret == pytest.approx(regret, abs=1e-9)


def test_the_regularised_value_is_evaluated() -> None:
    model = episodic(river_swim(4), 6)
    play = Play(model, SoftOptimisticPlanning(0.2, Weissman(0.1)), 400, 0)
    np.testing.assert_allclose(play.world.V_star, backward_induction(model, Shannon(0.2)).V, atol=1e-12)
    for n in (1, 30, 369):
        play.advance(n)
        np.testing.assert_allclose(play.policy.V, evaluate_policy(model, play.policy.pi, Shannon(0.2)), atol=1e-12)
    assert 0 <= play.world.best - play.value < 0.05


def test_bits_depend_on_neither_threads_nor_interruptions() -> None:
    model, learner = episodic(river_swim(), 8), PSRL()
    one = interact(model, learner, 150, seeds=5, threads=1, keep=("V", "seen"))
    many = interact(model, learner, 150, seeds=[4, 2, 0, 1, 3], threads=4, keep=("V", "seen"))
    order = [2, 3, 1, 4, 0]
    for name, x in one.result.items():
        np.testing.assert_array_equal(many.result[name][order], x)
    for name in ("regret", "value", "imagined_regret"):
        np.testing.assert_array_equal(many.history[name][order], one.history[name])
    play = Play(model, learner, 150, 3)
    for n in (1, 7, 0, 100, 42):
        assert play.advance(n) == n
    assert play.history["regret"].tolist() == one.history["regret"][3].tolist()
    assert play.visits.tolist() == one.result["visits"][3].tolist()


def test_learners_that_act_alike_see_the_same() -> None:
    model = episodic(river_swim(), 6)
    a = interact(model, Random(), 200, seeds=[7], rewards="bernoulli")
    b = interact(model, StagedRandom(), 200, seeds=[7], rewards="bernoulli")
    assert b.result["visits"].sum(1).tolist() == a.result["visits"][:, 0].tolist()
    assert a.history["reward"].tolist() == b.history["reward"].tolist()


def test_it_is_the_same_without_compilation() -> None:
    code = (
        "from tabular.exploration import *\nfrom tabular.instances import river_swim\n"
        "for learner in (UCBVI_BF(0.1, 0.01), OptimisticPlanning(KullbackLeibler()), PSRL()):\n"
        "    run = interact(episodic(river_swim(3), 4), learner, 25, seeds=2)\n"
        "    print(run.result['visits'].tolist(), run.history['regret'].round(9).tolist())"
    )
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH")]))
    said = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code], env=os.environ | {"NUMBA_DISABLE_JIT": off, "PYTHONPATH": path},
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout
        for off in ("0", "1")
    ]  # fmt: skip
    assert said[0] == said[1] and len(said[0]) > 1000


def test_curves_are_kept_where_asked_for() -> None:
    model = episodic(river_swim(), 6)
    run = interact(model, UCBVI_CH(), 500, record=[1, 10, 500], keep="Q")
    assert run.history["episode"].tolist() == [1, 10, 500] and run.history["upper"].shape == (1, 3)
    assert run.result["Q"].shape == (1, 6, 12) and run.result["total_regret"][0] == run.history["regret"][0, -1]
    assert len(interact(model, UCBVI_CH(), 100_000, seeds=1, record=None).history["episode"]) <= 64


@pytest.mark.parametrize("learner", [RF_UCRL(1.0, 0.1, 0.05), RF_Express(8.0, 0.1, 1e-4)], ids=["UCRL", "Express"])
def test_the_stopping_rule_stops_when_it_says(learner: Any) -> None:
    model = episodic(river_swim(3), 3)
    play = Play(model, learner, 100_000, 0)
    while not play.stopped:
        play.advance(50)
    again = Play(model, learner, 100_000, 0, record=[play.episode - 1, play.episode, play.episode + 1])
    assert again.advance() == play.episode > 0 and again.advance() == 0
    error = again.history["error"]
    assert error[0] > learner.epsilon / 2 and np.isnan(error[2])
    w = float(model.rho @ again.own.V[0])
    assert (w if isinstance(learner, RF_UCRL) else 3 * np.e * np.sqrt(w) + w) <= learner.epsilon / 2


@pytest.mark.parametrize("learner", [RF_UCRL(bonus_scale=0.0), RF_Express(bonus_scale=0.0)], ids=["UCRL", "Express"])
def test_no_epsilon_never_stops(learner: Any) -> None:
    """Not even where all errors are zero."""
    play = Play(episodic(river_swim(3), 3), learner, 200, 0)
    assert play.advance() == 200 and play.history["error"][-1] == 0


def test_optimism_and_what_it_needs() -> None:
    """The bonus as printed is optimistic on RiverSwim, and would be at a hundredth of it; at 0.0002 it is not."""
    model, lost = episodic(river_swim(), 10), {}
    for scale in (1.0, 0.01, 0.0002):
        play = Play(model, UCBVI_CH(0.1, scale), 300, 0)
        least = np.inf
        while play.episode < 300:
            play.advance(1)
            least = min(least, (play.own.V - play.world.V_star).min())
        lost[scale] = least
    assert lost[1.0] >= 0 and lost[0.01] >= 0 > -0.1 > lost[0.0002]


def test_learners_learn() -> None:
    model = episodic(river_swim(4), 10)
    bad = interact(model, Random(), 4000).result["total_regret"][0]
    for learner in (PSRL(), OptimisticPlanning(Hoeffding(0.1))):
        assert (interact(model, learner, 4000, seeds=3).result["total_regret"] < 0.2 * bad).all()


def broken(**changes: Any) -> FiniteHorizonMDP:
    parts: dict[str, Any] = {"P": np.full((2, 2, 2), 0.5), "R": np.full((2, 2), 0.5), "H": 3, "rho": [1, 0]} | changes
    return FiniteHorizonMDP(parts.pop("P"), parts.pop("R"), **parts)


MODEL = broken()
REFUSALS = [
    (lambda: interact(river_swim(), Random(), 5), TypeError, "takes a FiniteHorizonMDP"),
    (lambda: interact(MODEL, UCBVI_CH, 5), TypeError, "the class UCBVI_CH is no learner"),
    (lambda: interact(MODEL, 3, 5), TypeError, "3 is no learner"),
    (lambda: interact(MODEL, Random(), 0), ValueError, "K is 0"),
    (lambda: interact(MODEL, Random(), 2**52), ValueError, "steps in all"),
    (lambda: interact(MODEL, Random(), 5, seeds=[1, 1]), ValueError, "expected different ones"),
    (lambda: interact(MODEL, Random(), 5, seeds=[-1]), ValueError, "a seed is -1"),
    (lambda: interact(MODEL, Random(), 5, rewards="normal"), ValueError, "rewards is 'normal'"),
    (lambda: interact(MODEL, Random(), 5, record=[3, 2]), ValueError, "record is"),
    (lambda: interact(MODEL, Random(), 5, keep="Z"), ValueError, "keep names 'Z'"),
    (lambda: interact(MODEL, Random(), 5, keep=3), TypeError, "keep is 3: expected names"),  # type: ignore[arg-type]
    (lambda: interact(MODEL, Random(), 5, threads=0), ValueError, "threads is 0"),
    (lambda: Play(MODEL, Random(), 5).advance(6), ValueError, "5 episodes are left"),
    (lambda: interact(broken(rho=None), Random(), 5), ValueError, "no start distribution"),
    (lambda: interact(broken(gamma=0.5), Random(), 5), ValueError, "gamma is 0.5"),
    (lambda: interact(broken(terminal=[0, 1]), Random(), 5), ValueError, "terminal values"),
    (lambda: interact(broken(R=[[0, -np.inf], [0, 0]]), Random(), 5), ModelError, "action 1 is unavailable in state 0"),
    (lambda: interact(broken(P=np.full((2, 2, 2), 0.4), end=np.full((2, 2), 0.2)), Random(), 5), ModelError, "end"),
    (lambda: interact(broken(R=[[0, 2], [0, 0]]), Random(), 5, rewards="bernoulli"), ModelError, r"R\[0, 1\] is 2.0"),
    (lambda: interact(broken(R=[[0, 0], [-1, 0]]), UCBVI_CH(), 5), ModelError, r"R\[1, 0\] is -1.0: UCBVI"),
    (lambda: interact(waiting_tree(2, 2, 8, 0.1), UCBVI_CH(), 5), ValueError, "pools its counts"),
    (lambda: interact(MODEL, UCBVI_CH(delta=1.5), 5), ValueError, "delta is 1.5"),
    (lambda: interact(MODEL, UCBVI_CH(bonus_scale=-1), 5), ValueError, "bonus_scale is -1"),
    (lambda: interact(MODEL, UCB_H(c=-1), 5), ValueError, "c is -1"),
    (lambda: interact(MODEL, PSRL(prior=0), 5), ValueError, "prior is 0"),
    (lambda: interact(MODEL, PSRL(1.0, 2), 5), TypeError, "known_rewards is 2"),  # type: ignore[arg-type]
    (lambda: interact(MODEL, RF_UCRL(epsilon=-1), 5), ValueError, "epsilon is -1"),
    (lambda: interact(MODEL, OptimisticPlanning(3), 5), TypeError, "3 is no width"),
    (lambda: interact(MODEL, OptimisticPlanning(Hoeffding(-1)), 5), ValueError, "scale of the width"),
    (lambda: interact(MODEL, SoftOptimisticPlanning(0.0), 5), ValueError, "tau is 0"),
    (lambda: episodic(MODEL, 3), TypeError, "episodic takes an MDP"),
    (lambda: register_learner(int, plan=_plan, workspace=_plan), TypeError, "NamedTuple"),
    (lambda: register_learner(Random, plan=_plan, workspace=_plan), ValueError, "has functions already"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS, ids=[str(i) for i in range(len(REFUSALS))])
def test_bad_input_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_deep_sea_is_found_by_posterior_sampling_and_not_by_chance() -> None:
    model = deep_sea(8, seed=1)
    assert interact(model, PSRL(), 2000).history["value"][0, -1] == pytest.approx(1.0)
    assert interact(model, Random(), 2000).history["value"][0, -1] < 0.02
