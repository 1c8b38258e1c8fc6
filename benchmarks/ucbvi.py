r"""W6: the UCBVI of rlberry-scool on shared draws, as a learner of our loop and as a plain NumPy program.

Counts are pooled over steps; after each episode, backwards from V_H = 0 with H the largest value there is,

.. math:: Q_h = \hat R + b_h + \hat P V_{h+1}, \quad V_h = \min(\max_a Q_h, H),

where :math:`b_h(s, a) = \min(1/\sqrt n + (H - h)/n, H - h)` with the count n after the last visit of the pair *at
step h*, and H - h before one; a pair never seen has the uniform distribution as its estimate and reward zero. The
first episode takes action 0 everywhere, and ties go to the first action. What is compared at the end is Q of the
estimates without bonus: it tells two runs apart whose counts differ.
"""
# mypy: allow-untyped-defs

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from benchmarks.contestants import drawn
from benchmarks.data import Task
from tabular._jit import kernel
from tabular._kernels.interaction import word
from tabular._kernels.sampling import stream
from tabular.exploration.learners import register_learner


class PlainUCBVI(NamedTuple):
    """The learner; its memory is ``Memory``."""

    bonus_scale: float = 1.0


class Memory(NamedTuple):
    bonus: np.ndarray  # (H, S*A)
    V: np.ndarray  # (H + 1, S)
    Q: np.ndarray  # (S*A,)
    R: np.ndarray  # (S*A,): the estimate
    P: np.ndarray  # (S, S*A): the estimate, by successor, so that a stage runs along the rows


def _memory(learner: PlainUCBVI, world: Any) -> Memory:
    H, S, rows = world.H, world.S, world.S * world.A
    bonus = np.repeat(np.arange(H, 0, -1.0)[:, None], rows, axis=1)
    return Memory(bonus, np.zeros((H + 1, S)), np.empty(rows), np.zeros(rows), np.full((S, rows), 1.0 / S))


@kernel
def _back(P, R, bonus, most, after, Q, V, act):
    """One stage: V and act (S,) from the values after it; whether an action is another than before."""
    for row in range(Q.size):
        Q[row] = R[row] + bonus[row]
    for t in range(after.size):
        v, p = after[t], P[t]
        for row in range(Q.size):
            Q[row] += v * p[row]
    changed, A = False, Q.size // V.size
    for s in range(V.size):
        best, top = 0, Q[s * A]
        for a in range(1, A):
            if Q[s * A + a] > top:
                top, best = Q[s * A + a], a
        V[s] = min(top, most)
        changed = changed or act[s] != best
        act[s] = best
    return changed


def _plan(learner, world, counts, own, policy, key, k):
    stages = 0
    if k == 0:
        policy.act[:] = 0
        return world.H
    for h in range(world.H - 1, -1, -1):
        if _back(own.P, own.R, own.bonus[h], float(world.H), own.V[h + 1], own.Q, own.V[h], policy.act[h]):
            stages = max(stages, h + 1)
    return stages


def _observe(learner, world, counts, own, policy, k, h, s, a, r, t):
    row = s * world.A + a
    n, most = float(counts.visits[row]), float(world.H - h)
    own.bonus[h, row] = min(learner.bonus_scale * sqrt(1.0 / n) + most / n, most)
    own.R[row] = world.R[row]
    if n == 1.0:
        own.P[:, row] = 0.0
    for i in range(world.indptr[row], world.indptr[row + 1]):
        own.P[world.indices[i], row] = counts.seen[i] / n


register_learner(PlainUCBVI, plan=_plan, observe=_observe, workspace=_memory)


def uniforms(episodes: int, H: int) -> np.ndarray:
    """(episodes, H): what the loop draws successors with, for seed 0."""
    out = np.empty((episodes, H))
    _words(np.random.SeedSequence(0).generate_state(2, np.uint64), out)
    return out


@kernel
def _words(key, out):
    for k in range(out.shape[0]):
        z, increment = stream(key, k, 0)
        for h in range(out.shape[1]):
            out[k, h] = word(z, increment, 2 + 4 * h)


def recommended(visits: np.ndarray, seen: np.ndarray, R: np.ndarray, H: int) -> np.ndarray:
    """Q (H, S, A) of the estimates: counts of pairs (S, A) and of transitions (S, A, S), rewards (S, A)."""
    S, n = len(R), np.maximum(visits, 1)
    P = np.where(visits[..., None] > 0, seen / n[..., None], 1.0 / S)
    V, Q = np.zeros(S), np.empty((H, *R.shape))
    for h in range(H - 1, -1, -1):
        Q[h] = np.where(visits > 0, R, 0.0) + P @ V
        V = np.minimum(Q[h].max(axis=1), H)
    return Q


def plain(task: Task) -> np.ndarray:
    """Q (H, S, A) after all episodes of a task, in NumPy: the answer that the contestants are measured against."""
    x, H = task.arrays, int(task.facts["H"])
    R, (S, A) = x["R"], x["R"].shape
    seen, visits = np.zeros((S, A, S)), np.zeros((S, A))
    P, bonus = np.zeros((S, A, S)), np.repeat(np.arange(H, 0, -1.0), S * A).reshape(H, S, A)
    Q = np.zeros((H, S, A))
    for u in x["uniforms"]:
        s = 0
        for h in range(H):
            a = int(Q[h, s].argmax())
            t = drawn(x, s * A + a, float(u[h]))
            visits[s, a] += 1
            seen[s, a, t] += 1
            P[s, a] = seen[s, a] / visits[s, a]
            bonus[h, s, a] = min(sqrt(1.0 / visits[s, a]) + (H - h) / visits[s, a], H - h)
            s = t
        V, known = np.zeros(S), np.where(visits > 0, R, 0.0)
        for h in range(H - 1, -1, -1):
            Q[h] = (
                known + bonus[h] + np.where(visits > 0, P @ V, V.mean())
            )  # pairs never seen are tied, whatever BLAS rounds
            V = np.minimum(Q[h].max(axis=1), H)
    return recommended(visits, seen, R, H)
