"""A model as the kernels of the loop read it: rows with their tables for drawing, and its optimal values."""

from __future__ import annotations

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._kernels import interaction as kernels
from tabular._kernels import sampling
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.generative_model import successor_rows
from tabular.mdp import MDP

MOST_STEPS = 2**52


def build_world(model: FiniteHorizonMDP, K: int, rewards: str, per_step: bool) -> kernels.World:
    """The model for counts of each step, or pooled over the steps of a model whose stages agree."""
    border.count(K, "K")
    if K * model.H > MOST_STEPS:
        raise ValueError(f"K is {K}: at most {MOST_STEPS} steps in all")
    if rewards not in ("mean", "bernoulli"):
        raise ValueError(f"rewards is {rewards!r}: expected 'mean' or 'bernoulli'")
    if model.gamma != 1:
        raise ValueError(f"gamma is {model.gamma}: episodes are not discounted")
    if model.terminal.any():
        raise ValueError("the model has terminal values: episodes end with nothing")
    if model.rho is None:
        raise ValueError("the model has no start distribution: give it rho")
    stages = [model.stage(h) for h in range(model.H if per_step else 1)]
    first: dict[int, int] = {}
    for h, m in enumerate(stages):
        first.setdefault(id(m), h)
    known = {key: _stage(stages[h], h, rewards == "bernoulli") for key, h in first.items()}
    parts = [known[id(m)] for m in stages]
    ends = np.cumsum([0, *(p[0][-1] for p in parts)])
    indptr = np.concatenate([[0], *(p[0][1:] + end for p, end in zip(parts, ends, strict=False))]).astype(np.int64)
    indices, mass, R = (np.concatenate([p[i] for p in parts]) for i in (1, 2, 3))
    chance, alias = _tables(indptr, mass)
    rho_chance, rho_alias = _tables(np.array([0, model.S]), model.rho)
    world = kernels.World(
        model.H, model.S, model.A, int(K), model.S * model.A if per_step else 0, rewards == "bernoulli",
        indptr, indices.astype(np.uint32), mass, _spread(indptr, indices, mass, model.S), chance, alias, R,
        np.array(model.rho), rho_chance, rho_alias,
        np.zeros((model.H + 1, model.S)), 0.0,
    )  # fmt: skip
    kernels.optimal(world, world.V_star)
    return world._replace(best=float(kernels.at_start(world, world.V_star[0])))


def _stage(m: MDP, h: int, drawn: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if not m.mask.all():
        i = check.first(~m.mask)
        check.fail(f"stage {h}: action {i[1]} is unavailable in state {i[0]}: learners here choose among all actions")
    if m.has_end:
        i = check.first(m.end > 0)
        check.fail(f"stage {h}: {check.place('end', i)} is {m.end[i]}: make the end a state, as augmented() does")
    R = np.ascontiguousarray(m.rewards.ravel())
    if drawn and (bad := (m.rewards < 0) | (m.rewards > 1)).any():
        i = check.first(bad)
        check.fail(f"stage {h}: {check.place('R', i)} is {m.rewards[i]}: expected a probability, to draw rewards with")
    return (*successor_rows(m), R)


def _spread(indptr: np.ndarray, indices: np.ndarray, mass: np.ndarray, S: int) -> np.ndarray:
    """Rows with zeros between (rows, S) where at least half of all are successors; else (0, S)."""
    rows = len(indptr) - 1
    if 2 * len(mass) < rows * S:
        return np.zeros((0, S))
    out = np.zeros((rows, S))
    out[np.repeat(np.arange(rows), np.diff(indptr)), indices] = mass
    return out


def _tables(indptr: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(mass)
    tail, chance, alias = np.empty(n), np.empty(n), np.empty(n, dtype=np.int32)
    sampling.alias_tables(indptr.astype(np.int64), mass, tail, chance, alias, np.empty(n, dtype=np.int64))
    return chance, alias
