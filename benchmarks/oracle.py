r"""The answer that everyone is measured against, with a bound on its own error that rests on no solver.

For any ``V`` and a backup ``T`` that shrinks distances by ``gamma`` times the largest row mass ``m``,

.. math:: \|V - V^*\| \le \|TV - V\| / (1 - \gamma m).

Here ``TV`` is formed in NumPy's extended precision (64 bits of mantissa on x86; where there is none the bound is larger, and
printed), its rounding is added, and ``V`` is improved by Newton's method, whose linear systems need no accuracy, until the
bound is below the goal. Rational tasks have exact answers instead, and finite horizons only rounding; of a learner's run the
answer is what a plain program ends with.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.data import Task

GOAL = 1e-11
STEPS, PATIENCE = 100, 10
"""Most steps, and most without gain: on the way to another policy the bound may grow for a while."""
VERSION = 1
"""Part of the name of a kept answer: raise it when this file changes what it computes."""

Long = np.longdouble
EPS = float(np.finfo(Long).eps)
CHUNK = 2_000_000
"""Entries of P that are turned into extended precision at once."""


class Oracle(NamedTuple):
    """``V`` floats (or texts "p/q"), ``bound`` on their error in sup norm, ``scale``: the largest of ``|R|`` and ``|V|``.

    An empty ``V``: nobody knows, and errors are NaN.
    """

    V: np.ndarray
    bound: float
    scale: float

    def error(self, V: np.ndarray) -> float:
        """Sup norm of ``V - V*``, its own bound added; ``inf`` where ``V`` is no answer at all."""
        if not self.V.size:
            return float("nan")
        if self.V.dtype.kind == "U":
            return exact_error(V, self.V)
        if V.shape != self.V.shape or not np.isfinite(V).all():
            return np.inf
        return float(np.abs(V - self.V).max()) + self.bound


def exact_error(V: np.ndarray, optimum: np.ndarray) -> float:
    """Largest difference of texts "p/q", as a float; 0.0 only where all are equal."""
    if V.shape != optimum.shape:
        return np.inf
    return float(max(abs(Fraction(str(a)) - Fraction(str(b))) for a, b in zip(V.ravel(), optimum.ravel(), strict=True)))


def kept(task: Task, folder: Path, options: dict[str, Any], start: Callable[[], np.ndarray]) -> Oracle:
    """The oracle of a task, from ``folder`` if it is there."""
    which = [str(options[key]) for key in ("regularizer", "tau") if key in options]
    name = "-".join(["oracle", str(VERSION), *which])
    file = folder / f"{name}.json"
    if not file.exists():
        found = certified(task, start(), options)
        np.save(folder / f"{name}.npy", found.V, allow_pickle=False)
        file.write_text(json.dumps({"bound": found.bound, "scale": found.scale}), encoding="utf-8")
    facts = json.loads(file.read_text(encoding="utf-8"))
    return Oracle(np.load(folder / f"{name}.npy", allow_pickle=False), **facts)


def certified(task: Task, start: np.ndarray, options: dict[str, Any]) -> Oracle:
    """Improve ``start`` until its bound is below ``GOAL``; the best after ``STEPS`` steps, or where nothing gains.

    Raises ValueError for a kind of task that it does not know.
    """
    if task.kind == "exact":
        return Oracle(start, 0.0, float(max(abs(Fraction(str(v))) for v in start.ravel())))
    if task.kind == "ucbvi":
        from benchmarks.ucbvi import plain

        H, longest = task.facts["H"], task.arrays["P"].shape[-1]
        return Oracle(plain(task), float(H * (longest + 4) * np.finfo(float).eps * H), float(H))
    if task.kind not in ("dense", "sparse", "batch", "horizon"):
        raise ValueError(f"no oracle for a task of kind {task.kind!r}")
    model: _Dense | _Sparse = _Sparse(task) if task.kind == "sparse" else _Dense(task)
    reward = float(np.abs(task.arrays["R"]).max())
    if task.kind == "horizon":
        V = np.zeros((task.facts["H"] + 1, *model.shape), dtype=Long)
        for h in reversed(range(task.facts["H"])):
            V[h] = model.q(V[h + 1]).max(axis=-1)
        V = V[:, 0]
        scale = max(reward, float(np.abs(V).max()))
        rounding = task.facts["H"] * (model.longest + 4) * EPS * scale
        return Oracle(V.astype(np.float64), float(rounding + np.finfo(float).eps * scale), scale)
    mass = model.gamma * model.mass
    V, best, stale = start.reshape(model.shape).astype(Long), (np.inf, start), 0
    for _ in range(STEPS):
        Q = model.q(V)
        TV, pi = soft_max(Q, options)
        scale = max(reward, float(np.abs(V).max()))
        # A row of products, the sum of it, and a few operations more for the maximum or its soft forms.
        rounding = (model.longest + 64) * EPS * scale
        bound = (float(np.abs(TV - V).max()) + rounding) / (1.0 - mass)
        stale = 0 if bound < 0.9 * best[0] else stale + 1
        if bound < best[0]:
            best = bound, V.astype(np.float64)
        if bound <= GOAL or stale > PATIENCE:
            break
        V = V + model.correction(pi, (TV - V).astype(np.float64))
    stored = best[0] + float(np.finfo(float).eps) * scale  # V was rounded to floats
    return Oracle(best[1].reshape(start.shape), stored, scale)


def soft_max(Q: np.ndarray, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The maximum of ``<pi, Q> - Omega(pi)`` over each last axis and its maximiser (actions, or a policy like ``Q``)."""
    kind = options.get("regularizer")
    if kind is None:
        return Q.max(axis=-1), Q.argmax(axis=-1)
    tau = Long(options["tau"])
    top = Q.max(axis=-1, keepdims=True)
    if kind == "shannon":
        weights = np.exp((Q - top) / tau)
        total = weights.sum(axis=-1, keepdims=True)
        return (top + tau * np.log(total))[..., 0], weights / total
    # Tsallis, q = 2: the projection of Q / (2 tau) on the simplex, by sorting.
    x = (Q - top) / (2 * tau)
    falling = -np.sort(-x, axis=-1)
    above = np.cumsum(falling, axis=-1) - 1
    rank = np.arange(1, x.shape[-1] + 1)
    size = (falling * rank > above).sum(axis=-1, keepdims=True)
    threshold = np.take_along_axis(above, size - 1, axis=-1) / size
    pi = np.maximum(x - threshold, 0)
    return (pi * Q).sum(axis=-1) - tau * ((pi**2).sum(axis=-1) - 1), pi


class _Dense:
    """(B, S, A, S) transitions; a single model is a batch of one."""

    def __init__(self, task: Task) -> None:
        P, R = task.arrays["P"], task.arrays["R"]
        self.P: np.ndarray = P if P.ndim == 4 else P[None]
        self.R: np.ndarray = R.reshape(self.P.shape[:-1])
        self.gamma = float(task.facts["gamma"])
        self.shape: tuple[int, ...] = self.R.shape[:2]
        self.longest = self.P.shape[-1]
        self.mass = float(self.P.sum(axis=-1).max()) + self.longest * float(np.finfo(float).eps)
        self.size = max(1, CHUNK // int(np.prod(self.P.shape[2:])))

    def q(self, V: np.ndarray) -> np.ndarray:
        flat = self.P.reshape(-1, *self.P.shape[2:])
        S, Q = self.shape[1], np.empty((len(flat), self.R.shape[-1]), dtype=Long)
        for i in range(0, len(flat), self.size):
            rows = np.arange(i, min(i + self.size, len(flat)))
            Q[rows] = np.einsum("rat,rt->ra", flat[rows].astype(Long), V[rows // S])
        return self.R + self.gamma * Q.reshape(self.R.shape)

    def correction(self, pi: np.ndarray, b: np.ndarray) -> np.ndarray:
        if pi.ndim == 2:
            P_pi = np.take_along_axis(self.P, pi[..., None, None], axis=2)[:, :, 0]
        else:
            P_pi = np.einsum("bsa,bsat->bst", pi.astype(float), self.P)
        return np.linalg.solve(np.eye(self.longest) - self.gamma * P_pi, b[..., None])[..., 0]


class _Sparse:
    """CSR rows ``s*A + a``."""

    def __init__(self, task: Task) -> None:
        x = task.arrays
        self.indptr, self.indices, self.data, self.R = x["indptr"], x["indices"], x["data"], x["R"]
        self.gamma = float(task.facts["gamma"])
        self.shape = (len(self.R),)
        self.longest = int(np.diff(self.indptr).max())
        self.mass = float(np.add.reduceat(self.data, self.indptr[:-1]).max()) + self.longest * float(
            np.finfo(float).eps
        )

    def q(self, V: np.ndarray) -> np.ndarray:
        sums = np.add.reduceat(self.data.astype(Long) * V[self.indices], self.indptr[:-1])
        return self.R + self.gamma * sums.reshape(self.R.shape)

    def correction(self, pi: np.ndarray, b: np.ndarray) -> np.ndarray:
        from scipy.sparse import csr_array, diags_array, eye_array
        from scipy.sparse.linalg import bicgstab, spsolve

        S, A = len(self.R), self.R.shape[-1]
        rows = csr_array((self.data, self.indices, self.indptr), shape=(S * A, S))
        if pi.ndim == 1:
            P_pi = rows[np.arange(S) * A + pi]
        else:
            pick = csr_array((pi.ravel().astype(float), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A))
            P_pi = pick @ rows
        matrix = csr_array(eye_array(S) - diags_array(np.full(S, self.gamma)) @ P_pi)
        if S <= 500:  # random graphs fill their factors: beyond, sweeps of a Krylov method are far cheaper
            return np.asarray(spsolve(matrix.tocsc(), b))
        x, _ = bicgstab(matrix, b, rtol=1e-6, maxiter=5_000)  # the next residual judges what came out
        return np.asarray(x if np.isfinite(x).all() else b)
