r"""EntGame with known transitions: fictitious play for the largest visitation entropy.

:math:`\max_d \sum_h \mathcal H(d_h) = \max_d \min_q \sum_h \langle d_h, \log(1/q_h) \rangle`. In round t a forecaster answers with
:math:`q^t_h = (n_h + n_0)/(t - 1 + n_0 m_h)`, where :math:`n_h` sums the occupancies of the rounds before and :math:`m_h` pairs are
available at step h, and a sampler with the best response to it. The mixture of the T policies over whole episodes visits
:math:`\bar d`, and so does the Markov policy :math:`\bar d_h(s,a) / \sum_a \bar d_h(s,a)`, which is returned.

With :math:`n_0 = 1` it falls short of the maximum by at most :math:`\sum_h \frac{m_h}{T} (1 + \log(1 + T/m_h))` (fast_entropy.C6).
Source: fast_entropy (Tiapkin et al. 2023), Algorithm 1 (EntGame), here without estimates. Of its regularised form the
details were not seen; ours is: forecasters :math:`q_h(s)` of the state alone, and samplers that maximise :math:`\log(1/q_h(s))`
plus the entropy of their policy, since :math:`\mathcal H(d_h) = \mathcal H(\mu_h) + E\,\mathcal H(\pi_h)`; then S stands for
:math:`m_h` (fast_entropy.C6b).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular.exploration._flat import Flat
from tabular.exploration._layers import Layers, checked
from tabular.exploration.entropy_solution import POOLED, VISITATION, EntropySolution, certify_entropy
from tabular.exploration.visits import entropy, markov_policy, visits
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.solution import Status

POINTS = 32
"""Rounds recorded where none are named."""


def entropy_game(
    fh: FiniteHorizonMDP,
    T: int,
    *,
    pooled: bool = False,
    regularised: bool = False,
    prior: float = 1.0,
    record: Any = None,
) -> EntropySolution:
    r"""Play T rounds, and return the Markov policy of the mixture with certificates.

    Parameters
    ----------
    fh : undiscounted, with a start distribution, without early ends (``visits.end_as_state``).
    pooled : counts forget the step, each round adds the mean of its H occupancies: the objective is the entropy of the pooled
        occupancies then, as of the authors' code.  regularised : soft samplers, forecasters of the state; not with ``pooled``.
    prior : :math:`n_0`.  record : rounds (increasing, in 1 ... T) at which history is kept, besides T; None: 32, evenly in their
        logarithm.

    Returns
    -------
    EntropySolution; ``history``: ``t``; ``lower``, the entropy of the mixture after t rounds; ``upper``, the least value of a
    best response up to then; ``gap``, their difference, an upper bound on what the mixture falls short by (floats). Status
    MAX_ITER: it plays all rounds. Ties are played for the first action.

    Raises ModelError and TypeError as ``maximum_visitation_entropy``, ValueError for arguments out of range. O(T H nnz): on the
    21 x 21 grid with H = 20 about 1500 rounds a second.
    """
    checked(fh, "entropy_game")
    border.count(T, "T")
    border.positive(prior, "prior", "n_0, in visits")
    _one_form(pooled, regularised)
    marks = np.array(border.marks(record, T, POINTS), dtype=np.int64)
    marks = np.union1d(marks, [T])
    from tabular._kernels import entropy_games as kernels

    layers = Layers(fh)
    flat = Flat(layers)
    symbol, group, sizes = _symbols(fh, flat, pooled, regularised)
    n, m = len(flat.first) - 1, len(flat.symbol)
    total, counts = np.zeros(m), np.zeros(len(group))
    reward, log_pi, pi, d = (np.empty(m) for _ in range(4))
    mu, V, V_best, uppers = np.empty(n), np.empty(n), np.zeros(n), np.empty(T)
    best, lowers, before = np.inf, [], 0
    for t in marks:
        best = kernels.rounds(
            *flat.graph, flat.start, symbol, group, sizes, 1.0 / fh.H if pooled else 1.0, regularised, float(prior), before,
            t - before, total, counts, reward, log_pi, mu, V, pi, d, best, V_best, uppers,
        )  # fmt: skip
        before = t
        mean = total / t
        lowers.append(_pooled(flat, mean, fh.H) if pooled else entropy(mean))
    policy = markov_policy(layers.spread(flat.split(total / T)), fh.mask)
    values = layers.spread_states(flat.split_states(V_best))
    objective = POOLED if pooled else VISITATION
    tops = np.minimum.accumulate(uppers)[marks - 1] / (fh.H if pooled else 1)
    history = {"t": marks, "lower": np.array(lowers), "upper": tops, "gap": tops - np.array(lowers)}
    found = certify_entropy(fh, policy, values, objective)
    return EntropySolution(
        objective, policy, visits(fh, policy), values, found, Status.MAX_ITER, T, "fictitious play", history,
        {"regularised": regularised, "prior": prior},
    )  # fmt: skip


def game_bound(fh: FiniteHorizonMDP, T: int, *, pooled: bool = False, regularised: bool = False) -> float:
    r"""What T rounds fall short by at most, with :math:`n_0 = 1`: :math:`\sum_h (m_h/T)(1 + \log(1 + T/m_h))`, in nats.

    ``regularised``: S for :math:`m_h`; ``pooled``: one term, of the pairs available at any step (fast_entropy.C6). TypeError,
    ValueError as ``entropy_game``.
    """
    border.expect(fh, "game_bound", "FiniteHorizonMDP")
    border.count(T, "T")
    _one_form(pooled, regularised)
    mask = fh.mask
    symbols = np.array([mask.any(axis=0).sum()]) if pooled else mask.sum(axis=(1, 2))
    symbols = np.full(fh.H, fh.S) if regularised else symbols
    return float((symbols / T * (1.0 + np.log1p(T / symbols))).sum())


def _one_form(pooled: bool, regularised: bool) -> None:
    if all([border.flag(pooled, "pooled"), border.flag(regularised, "regularised")]):
        raise ValueError("pooled and regularised are both True: forecasters of the state have no pooled form here")


def _pooled(flat: Flat, mean: np.ndarray, H: int) -> float:
    return entropy(np.bincount(flat.symbol, weights=mean) / H)


def _symbols(
    fh: FiniteHorizonMDP, flat: Flat, pooled: bool, regularised: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The symbol of each pair, the group of each symbol, and how many symbols a group has."""
    if pooled:
        return flat.symbol, np.zeros(flat.symbols, dtype=np.int64), np.array([float(fh.mask.any(axis=0).sum())])
    if regularised:
        steps = np.empty(len(flat.first) - 1, dtype=np.int64)
        steps[flat.state] = flat.step
        return flat.state.astype(np.int64), steps, np.full(fh.H, float(fh.S))
    return np.arange(len(flat.symbol)), flat.step.astype(np.int64), fh.mask.sum(axis=(1, 2)).astype(np.float64)
