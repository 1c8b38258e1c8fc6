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

LINE = 8
"""Numbers in a line of the cache."""


class PlainUCBVI(NamedTuple):
    """The learner; its memory is ``Memory``."""

    bonus_scale: float = 1.0


class Memory(NamedTuple):
    """Pairs are a*S + s here: then a stage runs along the pairs, and its maximum along the states.

    Rows of m >= S*A pairs begin where lines of the cache do; what is beyond the pairs is zero.
    """

    bonus: np.ndarray  # (H, m)
    V: np.ndarray  # (H + 1, S)
    Q: np.ndarray  # (m,)
    best: np.ndarray  # (S,) int64
    R: np.ndarray  # (m,): the estimate
    P: np.ndarray  # (S, m): the estimate, by successor


def _memory(learner: PlainUCBVI, world: Any) -> Memory:
    H, S, rows = world.H, world.S, world.S * world.A
    m = rows + -rows % LINE
    own = Memory(_zeros(H, m), np.zeros((H + 1, S)), _zeros(m), np.zeros(S, dtype=np.int64), _zeros(m), _zeros(S, m))
    own.bonus[:, :rows] = np.arange(H, 0, -1.0)[:, None]
    own.P[:, :rows] = 1.0 / S
    return own


def _zeros(*shape: int) -> np.ndarray:
    """Zeros that begin with a line of the cache."""
    n = int(np.prod(shape))
    x = np.zeros(n + LINE)
    start = -(x.ctypes.data // x.itemsize) % LINE
    return x[start : start + n].reshape(shape)


@kernel
def _back(P, R, bonus, most, V, q, best, act):
    """All stages: V (H + 1, S) and act (H, S); how many of the first have another action than before."""
    S = act.shape[1]
    stages, fives, A = 0, S - S % 5, q.size // S
    Q = q[: A * S].reshape((A, S))
    for h in range(act.shape[0] - 1, -1, -1):
        for i in range(q.size):
            q[i] = R[i] + bonus[h, i]
        for t in range(0, fives, 5):  # one pass over q for five successors
            v, w, x, y, z = V[h + 1, t], V[h + 1, t + 1], V[h + 1, t + 2], V[h + 1, t + 3], V[h + 1, t + 4]
            for i in range(q.size):
                q[i] += v * P[t, i] + w * P[t + 1, i] + x * P[t + 2, i] + y * P[t + 3, i] + z * P[t + 4, i]
        for t in range(fives, S):
            v = V[h + 1, t]
            for i in range(q.size):
                q[i] += v * P[t, i]
        for s in range(S):
            V[h, s], best[s] = Q[0, s], 0
        for a in range(1, A):
            for s in range(S):
                better = Q[a, s] > V[h, s]
                V[h, s] = Q[a, s] if better else V[h, s]
                best[s] = a if better else best[s]
        changed = 0
        for s in range(S):
            V[h, s] = min(V[h, s], most)
            changed |= act[h, s] ^ best[s]
            act[h, s] = best[s]
        if changed != 0:
            stages = max(stages, h + 1)
    return stages


def _plan(learner, world, counts, own, policy, key, k):
    if k == 0:
        policy.act[:] = 0
        return world.H
    return _back(own.P, own.R, own.bonus, float(world.H), own.V, own.Q, own.best, policy.act)


def _observe(learner, world, counts, own, policy, k, h, s, a, r, t):
    row, pair = s * world.A + a, a * world.S + s
    n, most = float(counts.visits[row]), float(world.H - h)
    own.bonus[h, pair] = min(learner.bonus_scale * sqrt(1.0 / n) + most / n, most)
    own.R[pair] = world.R[row]
    if n == 1.0:
        own.P[:, pair] = 0.0
    for i in range(world.indptr[row], world.indptr[row + 1]):
        own.P[world.indices[i], pair] = counts.seen[i] / n


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
