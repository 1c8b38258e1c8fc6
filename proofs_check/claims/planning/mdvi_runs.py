"""Sampled MDVI for many trials at once, in float64: what the claims about chance measure.

Arrays lead with the trials of ``Streams``, or with nothing for a single one. Rounding here is of the order 1e-15, the
chances below are estimated to no better than 1e-3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check.sampling import Streams, categorical
from tabular.mdp import MDP


def successors(source: Any, rng: Streams, K: int, M: int) -> np.ndarray:
    """(..., K, S, A, M) next states of M draws from each pair in each of K iterations; S is the end."""
    rows = _rows(source)
    u = rng.uniform("successors", K, source.S, source.A, M)
    out = np.empty(u.shape, dtype=np.int64)
    for k in range(K):
        shape = (*rng.batch, source.S, source.A, M, source.S + 1)
        out[..., k, :, :, :] = categorical(u[..., k, :, :, :], np.broadcast_to(rows[..., None, :], shape))
    return out


def run(source: Any, drawn: np.ndarray, alpha: Any) -> tuple[np.ndarray, np.ndarray]:
    """Greedy actions (..., S) of the last policy, and averages E (..., K, S, A) of the errors after each iteration.

    alpha : number, or one for each trial.
    """
    rows, mask = _rows(source), source.mask
    P, R, gamma = rows[..., : source.S], source.rewards, np.asarray(source.gamma, dtype=np.float64)[..., None, None]
    lead, K = drawn.shape[:-4], drawn.shape[-4]
    alpha = np.broadcast_to(np.asarray(alpha, dtype=np.float64), lead)[..., None]
    s, w, before = np.zeros((*lead, source.S, source.A)), np.zeros((*lead, source.S)), np.zeros((*lead, source.S))
    E, found = s, []
    for k in range(K):
        v = w - alpha * before
        ended = np.concatenate([v, np.zeros((*lead, 1))], axis=-1)
        y = drawn[..., k, :, :, :]
        sampled = np.take_along_axis(ended, y.reshape(*lead, -1), axis=-1).reshape(y.shape).mean(axis=-1)
        E = alpha[..., None] * E + np.where(mask, gamma * (sampled - np.einsum("...sat,...t->...sa", P, v)), 0.0)
        s = np.where(mask, R + gamma * sampled, 0.0) + alpha[..., None] * s
        w, before = np.where(mask, s, -np.inf).max(axis=-1), w
        found.append(E)
    return np.where(mask, s, -np.inf).argmax(axis=-1), np.stack(found, axis=-3)


def regrouped(drawn: np.ndarray, n: int) -> np.ndarray:
    """The same draws, those of n iterations taken at once: (..., K / n, S, A, n M)."""
    K, S, A, M = drawn.shape[-4:]
    parts = drawn.reshape(*drawn.shape[:-4], K // n, n, S, A, M)
    return np.moveaxis(parts, -4, -1).reshape(*drawn.shape[:-4], K // n, S, A, n * M)


def one_hot(actions: np.ndarray, A: int) -> np.ndarray:
    """Integer weights (..., S, A) of a deterministic policy."""
    return (actions[..., None] == np.arange(A)).astype(np.int64)


def hoeffding(
    source: Any, E: np.ndarray, M: int, alpha: Any, delta: float, weights: str = "squares"
) -> tuple[np.ndarray, np.ndarray]:
    r"""The largest \|E_k(s, a)\| over the root of the sum of \alpha^{2j} ("one": over 1), and what it must not
    exceed: (...) each.
    """
    K, pairs = E.shape[-3], np.asarray(source.mask).sum(axis=(-2, -1))
    gamma, r = np.asarray(source.gamma, dtype=np.float64), np.abs(source.rewards).max(axis=(-2, -1))
    power = np.asarray(alpha, dtype=np.float64)[..., None] ** (2 * np.arange(K))
    total = np.cumsum(power, axis=-1) if weights == "squares" else np.ones_like(power)
    bound = gamma / (1 - gamma) * r * np.sqrt(2 * np.log(2 * pairs * K / delta) / M)
    return (np.abs(E).max(axis=(-2, -1)) / np.sqrt(total)).max(axis=-1), bound


def output_actions(source: Any, rng: Streams, K: int, M: int) -> np.ndarray:
    """(..., K + 1, S) greedy actions of all policies of a run of ``tabular.planning.mdvi`` at alpha = gamma, a trial at a time."""
    from tabular.planning.mdvi import mdvi

    models = [source] if isinstance(source, MDP) else [source[i] for i in range(source.B)]
    words = (rng.uniform("seed").reshape(-1) * 2.0**53).astype(np.int64)
    runs = [
        mdvi(m, alpha=m.gamma, K=K, M=M, seed=int(seed), record=[], keep_policies=True, V_star=np.zeros(m.S))
        for m, seed in zip(models, words, strict=True)
    ]
    actions = np.stack([x.result["policies"] for x in runs])
    return actions.reshape(*rng.batch, K + 1, source.S)


def _rows(source: Any) -> np.ndarray:
    P = source.P if isinstance(source.P, np.ndarray) else source.to_dense().P
    rows = np.concatenate([P, source.end[..., None]], axis=-1)
    return np.where(source.mask[..., None], rows, 1.0)
