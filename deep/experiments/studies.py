"""Tables behind the figures of the deep extension: rows of plain numbers, computed by experiments with their oracle.

``study(name)`` computes one at a size that takes minutes on two cores; ``quick=True`` in seconds, to see that it works.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep import envs
from deep.experiments.config import Experiment
from deep.experiments.run import run

Row = dict[str, Any]
FAMILY = ("dqn", "soft-dqn", "mdqn", "mvi-dqn", "sac-discrete")


def deep_against_tabular(
    agents: Sequence[str] = FAMILY, env: str = "FrozenLake", seeds: int = 8, steps: int = 40_000, evaluations: int = 10
) -> list[Row]:
    """Learning curves with their tabular truth: all measures of the oracle for each agent, seed and evaluation."""
    rows: list[Row] = []
    for agent in agents:
        e = Experiment(
            agent, env, seeds=seeds, steps=steps, evaluations=evaluations, depth=1, numbers={"lr": 3e-3}, warmup=480
        )
        rows += [{"agent": agent, "env": env} | row for row in _rows(run(e).columns)]
    return rows


def alpha_by_index(
    alphas: Sequence[float] = (0.0, 0.5, 0.9),
    indices: Sequence[float] = (1.0, 1.5, 2.0),
    env: str = "FrozenLake",
    seeds: int = 8,
    steps: int = 40_000,
) -> list[Row]:
    """MVI(q)-DQN over the weight of the Munchausen term and the index: return and entropy of the policy at the end.

    Weights are traced, so that all of them share a program; each index has its own.
    """
    rows: list[Row] = []
    for q in indices:
        e = Experiment(
            "mvi-dqn", env, seeds=seeds, steps=steps, evaluations=2, depth=1, numbers={"lr": 3e-3},
            grid={"alpha": tuple(alphas)}, fields={"q": float(q)}, warmup=480,
        )  # fmt: skip
        rows += [{"q": q, "env": env} | row for row in _rows(run(e).columns) if row["step"] == steps]
    return rows


def deep_sea_scaling(
    sizes: Sequence[int] = (4, 6, 8, 10),
    agents: Sequence[str] = ("dqn", "bootstrapped-dqn", "optimistic-dqn"),
    seeds: int = 4,
    episodes: int = 1_000,
    evaluations: int = 20,
) -> list[Row]:
    """Episodes until the greedy policy is the optimal one at the start, by size; ``inf`` where it was not within ``episodes``.

    Which action goes right is drawn for each column, so that no network finds it by always going one way. Optimism is on a
    table, where widths are those of counts; the others have a hidden layer. The truth is the oracle's: suboptimality below
    1e-6. Learning curves are looked at ``evaluations`` times, so that the numbers are upper ends of intervals of ``episodes
    / evaluations``.
    """
    rows: list[Row] = []
    for N in sizes:
        for agent in agents:
            counts = agent == "optimistic-dqn"
            e = Experiment(
                agent, "DeepSea", seeds=seeds, steps=episodes * N, evaluations=evaluations, envs=1, warmup=64, batch=64,
                options={"N": N, "seed": 0}, numbers={"lr": 1e-2 if counts else 1e-3, "polyak": 0.02}, depth=0 if counts else 1,
            )  # fmt: skip
            c = run(e).columns
            for seed in range(seeds):
                solved = (c["seed"] == seed) & (c["suboptimality"] < 1e-6)
                first = c["step"][solved].min() / N if solved.any() else np.inf
                last = c["suboptimality"][c["seed"] == seed][-1]
                found = {"episodes": float(first), "suboptimality": float(last), "budget": episodes}
                rows.append({"N": N, "agent": agent, "seed": seed} | found)
    return rows


def critic_bias(
    agents: Sequence[str] = ("soft-dqn", "sac-discrete"),
    env: str = "Pendulum-grid",
    seeds: int = 4,
    steps: int = 40_000,
    evaluations: int = 10,
) -> list[Row]:
    """How much critics overestimate the exact soft value of their own policy on the pendulum's grid, during training.

    Twin critics of which the least counts (sac-discrete) beside a single one that is maximised softly.
    """
    rows: list[Row] = []
    for agent in agents:
        numbers = {"lr": 1e-3, "tau": 0.5, "polyak": 0.02}
        numbers |= {"actor_lr": 1e-3} if agent == "sac-discrete" else {}
        e = Experiment(agent, env, seeds=seeds, steps=steps, evaluations=evaluations, numbers=numbers, warmup=480)
        rows += [{"agent": agent, "env": env} | row for row in _rows(run(e).columns)]
    return rows


def critic_bias_boxes(
    versions: Sequence[str] = ("sac", "sac-v1"),
    tau: float = 0.2,
    seeds: int = 3,
    steps: int = 10_000,
    grid: Sequence[int] = (51, 51, 15),
) -> list[Row]:
    """SAC on gymnax's pendulum at a fixed temperature: its soft value at the end against that of the grid, by seed.

    Columns ``rank_correlation``, ``bias``, ``error`` over the points of the grid, which the learner has not met as such, and the
    ``train_return`` of the last tenth.
    """
    import jax

    from deep.agents.sac import Noise
    from deep.oracle.pendulum import compare_critic, soft_pendulum

    V, x = soft_pendulum(tau, angles=grid[0], speeds=grid[1], torques=grid[2])
    z, w = np.polynomial.hermite_e.hermegauss(16)
    noise = Noise(jax.numpy.asarray(z[:, None], float), jax.numpy.asarray(w / w.sum(), float))
    rows: list[Row] = []
    for name in versions:
        numbers = {"lr": 3e-3, "tau": tau, "tau_lr": 0.0, "polyak": 0.02}
        e = Experiment(name, "Pendulum-v1", seeds=seeds, steps=steps, envs=1, batch=256, warmup=256, numbers=numbers)
        result, agent = run(e), e.make()
        found = jax.vmap(lambda s, agent=agent: agent.soft_value(s.critics, s, x, noise))(result.learners.agent)
        last = result.columns["train_return"][-seeds:]
        for seed in range(seeds):
            measured = compare_critic(V, found[seed])
            rows.append({"agent": name, "tau": tau, "seed": seed, "train_return": float(last[seed])} | measured)
    return rows


def visit_entropy(
    agents: Sequence[str] = ("entropy-dqn", "apt-dqn", "mepol-counts"),
    env: str = "FourRooms",
    seeds: int = 4,
    steps: int = 64_000,
    evaluations: int = 8,
    rounds: int = 300,
) -> list[Row]:
    """Entropy of the normalised discounted visits of each learner's policy beside its optimum, during training.

    ``optimum`` and ``reached`` bound the largest entropy from above and below: ``max_ent`` after so many rounds, whose gap
    is rigorous up to rounding, with what smoothing may hide. Learners of action values are judged by their policy as it is, not
    by the mixture of all so far.
    """
    from tabular.exploration.max_ent import max_ent

    made = envs.make(env)
    assert made.mdp is not None
    sigma = 1e-7
    best = max_ent(made.mdp, rounds, sigma=sigma).result
    most = min(float(best["upper"]) + made.mdp.S * sigma, float(np.log(made.mdp.S)))
    bounds = {"optimum": most, "reached": float(best["objective"])}
    rows: list[Row] = []
    for agent in agents:
        numbers = {"lr": 0.03, "delta": 0.1} if agent.startswith("mepol") else {"lr": 3e-3}
        e = Experiment(
            agent, env, seeds=seeds, steps=steps, evaluations=evaluations, depth=0, envs=16, warmup=480, numbers=numbers
        )
        rows += [{"agent": agent, "env": env} | row | bounds for row in _rows(run(e).columns)]
    return rows


STUDIES: dict[str, Callable[..., list[Row]]] = {
    "deep-against-tabular": deep_against_tabular,
    "alpha-by-index": alpha_by_index,
    "deep-sea-scaling": deep_sea_scaling,
    "critic-bias": critic_bias,
    "critic-bias-boxes": critic_bias_boxes,
    "visit-entropy": visit_entropy,
}
QUICK: dict[str, dict[str, Any]] = {
    "deep-against-tabular": {"agents": ("mdqn",), "seeds": 3, "steps": 8000, "evaluations": 2},
    "alpha-by-index": {"alphas": (0.0, 0.9), "indices": (2.0,), "seeds": 2, "steps": 3200},
    "deep-sea-scaling": {"sizes": (4,), "agents": ("dqn",), "seeds": 2, "episodes": 200, "evaluations": 4},
    "critic-bias-boxes": {"versions": ("sac",), "seeds": 1, "steps": 500, "grid": (11, 11, 3)},
    "critic-bias": {"agents": ("sac-discrete",), "seeds": 2, "steps": 1600, "evaluations": 2},
    "visit-entropy": {"agents": ("mepol-counts",), "seeds": 1, "steps": 3200, "evaluations": 2, "rounds": 30},
}


def study(name: str, *, quick: bool = False, **options: Any) -> list[Row]:
    """The rows of a study by name; ``options`` go to its function. ValueError for an unknown name, with what comes near."""
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, 3, 0.4)
        raise ValueError(
            f"unknown table {name!r}: {'did you mean ' + ' or '.join(near) if near else 'one of ' + ', '.join(STUDIES)}"
        )
    return STUDIES[name](**((QUICK[name] if quick else {}) | options))


def columns(rows: list[Row]) -> dict[str, np.ndarray]:
    """The names that all rows have, as arrays."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: np.array([row[name] for row in rows]) for name in names}


def write(path: str | Path, rows: list[Row]) -> None:
    """Rows as CSV with a header, of the names in all of them; floats so that they are read back exactly."""
    names = list(columns(rows))
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


def _rows(columns: dict[str, np.ndarray]) -> list[Row]:
    return [{name: x[i].item() for name, x in columns.items()} for i in range(len(columns["step"]))]
