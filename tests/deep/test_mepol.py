"""MEPOL: with every path in its probability its objective is the entropy of discounted visits, and its gradient the exact one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import digamma, gamma

from deep.agents.mepol import MEPOL, Paths, PolicyState
from deep.envs.models import staged
from deep.envs.tabular import tabular_env
from deep.experiments.config import Experiment
from deep.experiments.run import run
from deep.oracle import Oracle
from deep.precision import float64
from deep.train import bridge, epochs, trainer
from tabular import MDP, FiniteHorizonMDP, evaluate_policy, occupancy
from tabular.exploration.max_ent import max_ent
from tabular.instances import gridworld
from tabular.operators import q_values

pytestmark = pytest.mark.xdist_group("deep models")  # one worker compiles what they share

NEAR, APART = 1e-10, 1e-4
H, S, A, GAMMA = 3, 3, 2, 0.8
COUNTS = MEPOL("bridge", bridge.TABLE, bridge.PLAIN, horizon=H, k=0, dim=0, inner=1)


@pytest.fixture(scope="module")
def layered() -> MDP:
    """Three stages of three states: no path meets a state twice, and all that is visited is within the horizon."""
    rng = np.random.default_rng(5)
    fh = FiniteHorizonMDP(rng.dirichlet(np.ones(S), (H, S, A)), rng.random((H, S, A)), rho=rng.dirichlet(np.ones(S)))
    return staged(fh, GAMMA)


def policy_of(logits: np.ndarray) -> np.ndarray:
    """(S, A) from (A, S)."""
    x = np.exp(logits - logits.max(axis=0)).T
    return x / x.sum(axis=1, keepdims=True)


def entropy(mdp: MDP, logits: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Of the normalised visits of states, with its gradient (A, S) in the logits of a softmax, and the visits.

    By the policy gradient theorem for the reward -log d - 1 of being in a state, which is the entropy's slope at d.
    """
    pi = policy_of(logits)
    mu = occupancy(mdp, pi)
    total, d = mu.sum(), mu.sum(axis=1) / mu.sum()
    paid = MDP(mdp.P, np.repeat((-np.log(d) - 1.0)[:, None], mdp.A, axis=1), mdp.gamma, end=mdp.end, rho=mdp.rho)
    V = evaluate_policy(paid, pi)
    return float(-(d * np.log(d)).sum()), (mu * (q_values(paid, V) - V[:, None])).T / total, d


def all_paths(mdp: MDP, logits: np.ndarray) -> Paths:
    """Each of the (S A)^H sequences, weighing its probability under the policy."""
    pi, P = policy_of(logits), mdp.to_dense().P
    x, action, log_pi, share = [], [], [], []
    for steps in product(*[range(S), range(A)] * H):
        s, a = [h * S + v for h, v in enumerate(steps[::2])], steps[1::2]
        p = mdp.rho[s[0]] * np.prod(pi[s, a])
        for h in range(H - 1):
            p *= P[s[h], a[h], s[h + 1]]
        x.append(np.eye(mdp.S)[s])
        action.append(a)
        log_pi.append(np.log(pi[s, a]))
        share.append(np.full(H, np.log(p)))
    by_step = lambda v: jnp.asarray(np.array(v).swapaxes(0, 1))  # noqa: E731
    first = jnp.zeros((H, len(x)), jnp.int32)
    return Paths(by_step(x), by_step(action), by_step(log_pi), first, by_step(share))


def test_the_gradient_is_the_exact_policy_gradient_of_the_entropy_of_visits(layered: MDP) -> None:
    """Also away from the policy that played: the products of ratios are exact, not of first order."""
    rng = np.random.default_rng(0)
    old, new = rng.normal(size=(2, A, layered.S))
    with float64():
        hyper = {k: jnp.asarray(v, float) for k, v in (COUNTS.defaults() | {"resolution": 1.0, "gamma": GAMMA}).items()}
        paths = all_paths(layered, old)
        both = jax.jit(lambda W, paths, hyper: _both(W, paths, hyper))
        for logits in (old, new):
            value, slope, kl = both(jnp.asarray(logits), paths, hyper)
            exact_value, exact_slope, d = entropy(layered, logits)
            assert abs(float(value) - exact_value) < NEAR and np.abs(np.asarray(slope) - exact_slope).max() < NEAR
            before = entropy(layered, old)[2]
            assert abs(float(kl) - (before * np.log(before / d)).sum()) < NEAR
        # Wrong: products begun anew at each step; no discount; every path alike.
        wrong = (
            (
                paths._replace(first=jnp.broadcast_to(jnp.arange(H)[:, None], paths.first.shape).astype(jnp.int32)),
                hyper,
            ),
            (paths, hyper | {"gamma": jnp.asarray(1.0)}),
            (paths._replace(log_share=jnp.zeros_like(paths.log_share)), hyper),
        )
        for other, numbers in wrong:
            value, slope, _ = both(jnp.asarray(new), other, numbers)
            assert abs(float(value) - exact_value) > APART and np.abs(np.asarray(slope) - exact_slope).max() > APART


def _both(W: Any, paths: Paths, hyper: Any) -> Any:
    p = COUNTS.particles(hyper, paths)
    (value, kl), slope = jax.value_and_grad(lambda W: COUNTS.objective([(W, None)], paths, p), has_aux=True)(W)
    return value, slope, kl


def test_a_plain_step_is_a_step_of_gradient_ascent_and_the_trust_region_takes_it_back(layered: MDP) -> None:
    logits = np.random.default_rng(1).normal(size=(A, layered.S))
    value, slope, d = entropy(layered, logits)
    with float64():
        numbers = COUNTS.defaults() | {"resolution": 1.0, "gamma": GAMMA, "lr": 1.0, "delta": 1e6}
        hyper = {k: jnp.asarray(v, float) for k, v in numbers.items()}
        start = [(jnp.asarray(logits), None)]
        state, paths = PolicyState(start, COUNTS.optimiser.init(start)), all_paths(layered, logits)
        learn = jax.jit(COUNTS.learn)
        after, told = learn(state, hyper, paths)
        assert np.abs(np.asarray(after.policy[0][0]) - (logits + slope)).max() < NEAR and float(told["inner"]) == 1.0
        assert abs(float(told["particle_entropy"]) - entropy(layered, logits + slope)[0]) < NEAR
        assert float(told["particle_entropy"]) > value
        away = float((d * np.log(d / entropy(layered, logits + slope)[2])).sum())
        assert abs(float(told["kl"]) - away) < NEAR
        kept, told = learn(state, hyper | {"delta": jnp.asarray(0.99 * away)}, paths)
        assert np.array_equal(np.asarray(kept.policy[0][0]), logits) and float(told["inner"]) == 0.0
        told = learn(state, hyper | {"delta": jnp.asarray(1.01 * away)}, paths)[1]
        assert float(told["inner"]) == 1.0 and float(told["kl"]) == pytest.approx(away)


def test_neighbours_are_counted_as_the_authors_count_them() -> None:
    """Even weights before, the k - 1 nearest and the particle itself, the ball out to the k-th: by hand."""
    T, n, k, p = 4, 10, 3, 2
    rng = np.random.default_rng(2)
    x, actions = rng.normal(size=(T, n, p)), rng.integers(0, A, (T, n))
    agent = MEPOL("neighbours", bridge.TABLE, bridge.PLAIN, horizon=T, k=k)
    W = rng.normal(size=(A, p))
    logits = x @ W.T
    new = np.take_along_axis(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)), actions[..., None], -1)[
        ..., 0
    ]
    old = np.log(rng.uniform(0.2, 0.8, (T, n)))
    with float64():
        hyper = {name: jnp.asarray(v, float) for name, v in agent.defaults().items()}
        first = jnp.zeros((T, n), jnp.int32)

        def measured(scale: float) -> tuple[float, float]:
            paths = Paths(*map(jnp.asarray, (scale * x, actions, old)), first, jnp.zeros((T, n)))
            value, kl = agent.objective([(jnp.asarray(W / scale), None)], paths, agent.particles(hyper, paths))
            return float(value), float(kl)

        found, twice = measured(1.0), measured(2.0)
    ratio = np.exp(np.cumsum(new - old, axis=0) - (new - old)).ravel()
    w, points = ratio / ratio.sum(), x.reshape(-1, p)
    far = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    order = np.argsort(far, axis=1)
    near = w[order[:, :k]].sum(axis=1)
    V = np.sort(far, axis=1)[:, k] ** p * np.pi ** (p / 2) / gamma(p / 2 + 1)
    wanted = -(near / k * np.log(near / V)).sum() + np.log(k) - digamma(k)
    assert abs(found[0] - wanted) < NEAR
    assert abs(found[1] - np.log(k / (T * n * near)).mean()) < NEAR
    # Not free of the scale of features: p log c more, whatever was visited, as far as the shares sum to one.
    assert abs(twice[0] - found[0] - near.sum() / k * p * np.log(2.0)) < NEAR


def test_the_estimate_of_a_density_is_its_entropy() -> None:
    """1600 points of a normal law in the plane: log(2 pi e) within 0.15, about four standard errors."""
    n = 400
    points = np.random.default_rng(3).normal(size=(4, n, 2))
    agent = MEPOL("density", bridge.TABLE, horizon=4, k=4)
    hyper = {name: jnp.asarray(v, float) for name, v in agent.defaults().items()}
    zeros = jnp.zeros((4, n))
    paths = Paths(
        jnp.asarray(points, float), zeros.astype(int), jnp.full((4, n), -np.log(2.0)), zeros.astype(int), zeros
    )
    policy = [(jnp.zeros((2, 2)), None)]
    found = float(jax.jit(lambda p: agent.objective(policy, p, agent.particles(hyper, p))[0])(paths))
    assert abs(found - np.log(2 * np.pi * np.e)) < 0.15


def test_visits_spread_nearly_as_much_as_they_can() -> None:
    """A slippery room of twelve places from a corner: the certified optimum is bounded by Frank and Wolfe's gap.

    From the untrained policy half of what is missing at least is won, and the entropy ends within 0.05 of the optimum.
    """
    mdp = gridworld(["S...", ".#..", "...."], gamma=0.8, slip=0.2)
    mdp = MDP(mdp.P, mdp.R, 0.8, rho=np.eye(mdp.S)[0])
    found = max_ent(mdp, 400, sigma=1e-6)
    best = float(found.result["upper"]) + mdp.S * 1e-6
    assert best - float(found.result["objective"]) < 0.01
    env, tables = tabular_env(mdp, 100, name="room")
    agent = MEPOL("room", bridge.TABLE, horizon=24, k=0, dim=0, inner=10)
    shape = trainer.Shape(envs=16)
    numbers = trainer.EXPLORATION | agent.defaults() | {"resolution": 1.0, "gamma": 0.8, "lr": 0.05, "delta": 0.1}
    seeds = 2
    hyper = {k: jnp.full(seeds, float(v)) for k, v in numbers.items()}
    keys = jnp.stack([jax.random.PRNGKey(i) for i in range(seeds)])
    learners, oracle = epochs.start(env, agent, shape, tables, keys, hyper), Oracle(mdp)

    def visited(learners: Any) -> np.ndarray:
        pi = [
            np.asarray(agent.view(jax.tree.map(lambda x, i=i: x[i], learners.agent), {}, jnp.eye(mdp.S)).pi)
            for i in range(seeds)
        ]
        return np.array([oracle.report(agent, {}, p, np.full_like(p, np.nan), np.nan)["entropy"] for p in pi])

    before = visited(learners)
    learners, progress = epochs.advance(env, agent, shape, 40 * 24, tables, learners, hyper, 0)
    after = visited(learners)
    assert (after <= best + 1e-6).all()  # nobody beats the certified optimum
    assert (best - after < 0.5 * (best - before)).all() and (best - after < 0.05).all()
    assert (np.asarray(progress.updates) == 40).all() and (np.asarray(progress.metrics["kl"]) <= 40 * 0.1).all()
    with pytest.raises(ValueError, match="steps is 41: expected a multiple of room's horizon 24"):
        epochs.advance(env, agent, shape, 41, tables, learners, hyper, 0)


def test_runs_of_whole_paths_resume_and_have_no_critic(tmp_path: Path) -> None:
    e = Experiment(
        "mepol-counts", "FrozenLake", steps=64, evaluations=2, envs=4, depth=0, fields={"horizon": 8, "inner": 2}
    )
    c = run(e, tmp_path / "whole").columns
    run(e, tmp_path / "halves", stop_after=1)
    run(e, tmp_path / "halves")
    for name in ("config.json", "metrics.csv", "state.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "halves" / name).read_bytes(), name
    assert np.isfinite([c[k] for k in ("return", "suboptimality", "entropy", "particle_entropy", "kl", "inner")]).all()
    assert np.isnan([c[k] for k in ("soft_gap", "bias", "residual")]).all() and (c["updates"] == 1).all()
    with pytest.raises(ValueError, match="times mepol-counts's horizon 8 = 64, such as 128"):
        replace(e, steps=72)


def test_bad_fields_are_refused() -> None:
    for change, message in (
        ({"k": -1}, "k is -1: at least 0"),
        ({"horizon": 0}, "horizon is 0: at least 1"),
        ({"dim": -1}, "dim is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            MEPOL(**change)  # type: ignore[arg-type]
