r"""UCBVI, part 2: confidence widths, as chances of the statements that optimism rests on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from proofs_check import Trial, claim, families, streams, twin
from proofs_check.claim import no_endings
from proofs_check.claims.exploration._regret import river
from proofs_check.claims.exploration._replay import played, shaped
from proofs_check.claims.exploration.ucbvi_exact import PAPER
from proofs_check.sampling import categorical

DELTA, DRAWN, STEPS = 0.05, 64, 6
LOG = float(np.log(2 * DRAWN / DELTA))


def bernstein(variance: np.ndarray, n: np.ndarray, span: np.ndarray, L: float) -> np.ndarray:
    """Bernstein's width of a mean of n draws, with 2 span / 3 before the second term."""
    return np.sqrt(2 * variance * L / n) + 2 * span * L / (3 * n)


def _rows(source: Any) -> np.ndarray:
    """The first pair of each model: (..., S)."""
    return np.asarray(source.P)[..., 0, 0, :]


def optimal(source: Any, H: int) -> np.ndarray:
    """Values (..., S) of H steps."""
    V = np.zeros((*np.shape(source.rewards)[:-2], source.S))
    for _ in range(H):
        Q = source.rewards + np.einsum("...sat,...t->...sa", source.P, V)
        V = np.where(source.mask, Q, -np.inf).max(axis=-1)
    return V


def strays(source: Any, rng: Any, L: float) -> np.ndarray:
    """Whether, at some n <= DRAWN, the mean of the optimal values of n successors leaves Bernstein's width
    by more than the rounding of both."""
    p, V = _rows(source), optimal(source, STEPS)
    u = rng.uniform("successors", DRAWN)
    y = categorical(u, np.broadcast_to(p[..., None, :], (*u.shape, p.shape[-1])))
    n = np.arange(1, DRAWN + 1)
    means = np.cumsum(np.take_along_axis(V, y, axis=-1), axis=-1) / n
    mean = (p * V).sum(axis=-1)
    variance = (p * (V - mean[..., None]) ** 2).sum(axis=-1)
    wide = bernstein(variance[..., None], n, (V.max(axis=-1) - V.min(axis=-1))[..., None], L)
    rounding = 4 * (DRAWN + p.shape[-1]) * 2.0**-53 * np.abs(V).max(axis=-1, keepdims=True)
    return (np.abs(means - mean[..., None]) > wide + rounding).any(axis=-1)


@claim(
    id="ucbvi.C5",
    family=(families.garnet(4, 2), families.planted_arms(1, 2)),
    draws={"rng": streams},
    assumptions=(no_endings,),
    source=PAPER + ", confidence widths for one pair",
    kind="probability",
)
def values_stay_within_bernstein(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta, for all N \le T: |(\hat P - P) V^*| \le \sqrt{2 Var_P(V^*) L / N} + 2 H L / (3 N), L =
    \log(2T/\delta), H the span of V^*. Here one pair, T = 64, \delta = 1/20.

    Proof: Bernstein's inequality for each N, with :math:`\delta/T`, and a union.
    """
    return Trial(strays(m.source, rng, LOG), DELTA)


@twin(values_stay_within_bernstein, why="no logarithm: L = 1/4")
def values_stay_within_one_deviation(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(strays(m.source, rng, 0.25), DELTA)


def row_strays(source: Any, rng: Any, L: float) -> np.ndarray:
    r"""Whether, at some n <= DRAWN, the frequencies of a row are further from it than :math:`2 \sqrt{SL/n}` in 1-norm, or
    one of them than :math:`2 \sqrt{P(1-P)L/n} + 2L/(3n)`, beyond rounding.
    """
    p = _rows(source)
    S, u = p.shape[-1], rng.uniform("successors", DRAWN)
    y = categorical(u, np.broadcast_to(p[..., None, :], (*u.shape, S)))
    n = np.arange(1, DRAWN + 1)
    off = np.abs(np.cumsum(y[..., None] == np.arange(S), axis=-2) / n[:, None] - p[..., None, :])
    each = 2 * np.sqrt((p * (1 - p))[..., None, :] * L / n[:, None]) + 2 * L / (3 * n[:, None])
    far = (off > each + 1e-12).any(axis=-1) | (off.sum(axis=-1) > 2 * np.sqrt(S * L / n) + 1e-12)
    return np.asarray(far.any(axis=-1))


def row_logarithm(source: Any) -> float:
    """log(4 T S/delta)."""
    return float(np.log(4 * DRAWN * source.S / DELTA))


ROW: dict[str, Any] = {
    "family": families.garnet(4, 2),
    "draws": {"rng": streams},
    "assumptions": (no_endings,),
    "source": PAPER + ", confidence widths for rows",
    "kind": "probability",
}


@claim(id="ucbvi.C5b", **ROW)
def rows_stay_within_their_widths(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - \delta, for all N \le T: \|\hat P - P\|_1 \le 2 \sqrt{SL/N} and |\hat P(y) - P(y)| \le 2
    \sqrt{P(1-P)L/N} + 2L/(3N) for all y. Here one pair, S = 4, T = 64, L = \log(4 T S/\delta), \delta = 1/20.

    Proof: the first by Weissman, :math:`\sqrt{2 (S \log 2 + L)/N}` being less, the second by Bernstein, half of
    :math:`\delta` each and a union over N and y. What comes after a pair is the same sequence however a run meets it.
    """
    return Trial(row_strays(m.source, rng, row_logarithm(m.source)), DELTA)


@twin(rows_stay_within_their_widths, why="no logarithm: L = 1/2")
def rows_stay_within_narrow_widths(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(row_strays(m.source, rng, 0.5), DELTA)


def planners_strayed(rng: Any, scale: float) -> np.ndarray:
    """Whether optimistic planning with the widths of Weissman or of KL, at ``scale``, believed in less than the optimal value
    before some episode: runs of 12 episodes of 6 steps of RiverSwim, S = 4."""
    from tabular.exploration import KullbackLeibler, OptimisticPlanning, Weissman

    model, K = river(6, 4), 12
    widths = (Weissman(scale), KullbackLeibler(scale))
    runs = [played(model, OptimisticPlanning(width, DELTA), K, rng, record=range(1, K + 1)) for width in widths]
    lost = [(run.history["upper"] < run.info["V_star"][0, 0] - 1e-12).any(axis=1) for run in runs]
    return shaped(rng, lost[0] | lost[1])


@claim(
    id="ucbvi.C5c",
    family=families.bandits(2),
    draws={"rng": streams},
    source="ours, after " + PAPER + ", optimism",
    kind="probability",
    instances=(),
)
def planners_are_optimistic(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability 1 - 2 \delta, optimistic planning with the widths of Weissman and of KL (Jonsson et al.) believes in at
    least the optimal value before every episode. On RiverSwim, S = 4, H = 6, K = 12, \delta = 1/20.

    Proof: ``tabular.exploration.optimistic``: the truth is among the rows that are allowed for all pairs and counts.
    """
    return Trial(planners_strayed(rng, 1.0), 2 * DELTA)


@twin(planners_are_optimistic, why="a thousandth of the widths")
def planners_of_narrow_widths(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(planners_strayed(rng, 0.001), 2 * DELTA)


COINS, RARE = 2**20, 2.0**-8


@cache
def _heads() -> tuple[np.ndarray, np.ndarray]:
    """Numbers of heads within eight deviations, the last for all beyond, and the chances of at most as many."""
    from scipy.special import bdtr

    far = 4 * int(np.sqrt(COINS))
    heads = np.arange(COINS // 2 - far, COINS // 2 + far + 1)
    return heads, bdtr(heads[:-1], COINS, 0.5)


def coin_strays(rng: Any, factor: float) -> np.ndarray:
    """Whether the share of heads of COINS fair coins leaves the width with ``factor`` under the root; by inversion."""
    L, (heads, below) = np.log(2 / RARE), _heads()
    mean = heads[np.searchsorted(below, rng.uniform("heads"))] / COINS
    return np.abs(mean - 0.5) > np.sqrt(factor * 0.25 * L / COINS) + 2 * L / (3 * COINS)


@claim(
    id="ucbvi.C5a",
    family=families.bandits(2),
    draws={"rng": streams},
    source=PAPER + ", Eq. 11 corrected",
    kind="probability",
    least=3800,
)
def factor_under_the_root(ops: Any, m: Any, rng: Any) -> Trial:
    r"""For one N the width is \sqrt{2 Var L / N} + 2 H L / (3 N), L = \log(2/\delta): with the factor 2 under the root, which
    the printed Eq. 11 drops (twin 1). Here 2^20 fair coins, \delta = 2^{-8}.

    Proof: Bernstein's inequality. Without the factor the chance of failure is about :math:`2 \Phi(-\sqrt L)`, which is
    larger than :math:`2 e^{-L}` for small :math:`\delta`.
    """
    return Trial(coin_strays(rng, 2.0), RARE)


@twin(factor_under_the_root, why="Eq. 11 as printed: no factor 2 under the root")
def factor_dropped(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(coin_strays(rng, 1.0), RARE)
