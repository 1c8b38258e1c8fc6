r"""MaxEnt: the entropy of discounted visits, maximised by the method of Frank and Wolfe (Hazan, Kakade, Singh and Van Soest 2019).

Over occupancies :math:`d` (normalised, of states or of pairs), with the smoothed entropy :math:`H_\sigma(d) = -\sum d
\log(d + \sigma)`: each round solves the model with the reward :math:`\nabla H_\sigma(d_t)` exactly, and mixes what
the solution visits into :math:`d_t` with weight :math:`\eta_t`. As :math:`H_\sigma` is concave, :math:`\langle \nabla
H_\sigma(d_t), d^+ - d_t \rangle` bounds how much :math:`d_t` falls short, :math:`d^+` being the visits of that
solution: the duality gap. No sampling, so no estimates of d either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular.mdp import MDP
from tabular.operators import occupancy
from tabular.planning.mdvi import POINTS
from tabular.programs._answers import improved
from tabular.solution import Run


def max_ent(mdp: MDP, T: int, *, sigma: float, eta: float | None = None, of: str = "states", record: Any = None) -> Run:
    r"""T rounds from the uniform policy.

    Parameters
    ----------
    mdp : discounted MDP without endings, with a start distribution; its rewards are ignored. sigma : > 0, of the
    smoothed entropy, which differs from the entropy by at most n sigma over n entries. eta : in (0, 1], the weight of
    each round; None: 2 / (t + 2), t = 0, 1, ... of : ``"states"`` or ``"pairs"``: whose entropy.  record : rounds of
    the curves, in 1 ... T; None: 32, evenly in their logarithm.

    Returns
    -------
    Run with ``result``: ``d`` (S, A), the normalised visits of the mixture; ``pi`` (S, A), the Markov policy that has
    these visits, uniform where there are none; ``objective``; ``gap`` and ``upper``, the least upper bound met on the
    maximum, of which ``objective + gap`` is one, up to rounding. ``history``, in nats: ``t``, ``objective`` and
    ``gap`` after t rounds.

    Raises
    ------
    ValueError (ModelError) naming what is wrong, TypeError.

    Cost: a round is a few linear systems (policy iteration from the last solution).
    """
    border.expect(mdp, "max_ent", "MDP")
    border.count(T, "T")
    border.positive(sigma, "sigma", "of the smoothed entropy")
    if eta is not None:
        border.positive(eta, "eta", "at most one")
        if eta > 1:
            raise ValueError(f"eta is {eta}: expected a number in (0, 1]")
    if of not in ("states", "pairs"):
        raise ValueError(f"of is {of!r}: expected 'states' or 'pairs'")
    if not mdp.gamma < 1:
        raise ValueError("gamma = 1: occupancies here are discounted, gamma < 1")
    if mdp.has_end:
        i = check.first(mdp.end > 0)
        check.fail(f"{check.place('end', i)} is {mdp.end[i]}: make the end a state, as augmented() does")
    if mdp.rho is None:
        check.fail("rho is missing: the model has no start distribution")
    marks = frozenset(border.marks(record, T, POINTS))
    b = Backups(mdp)
    pi = mdp.mask / mdp.mask.sum(axis=1, keepdims=True)
    d, act = _visits(mdp, pi), mdp.mask.argmax(axis=1)
    value, gap, act, best = _gap(b, d, act, sigma, of)
    upper, rows = value + gap, []
    for t in range(T):
        weight = 2.0 / (t + 2.0) if eta is None else eta
        d = (1.0 - weight) * d + weight * best
        value, gap, act, best = _gap(b, d, act, sigma, of)
        upper = min(upper, value + gap)
        if t + 1 in marks:
            rows.append((t + 1, value, gap))
    total = d.sum(axis=1, keepdims=True)
    pi = np.where(total > 0, d / np.where(total > 0, total, 1.0), pi)
    result = {"d": d, "pi": pi, "objective": np.array(value), "gap": np.array(gap), "upper": np.array(upper)}
    history = {name: np.array([row[i] for row in rows]) for i, name in enumerate(("t", "objective", "gap"))}
    return Run(result, history, None, {"sigma": sigma, "eta": eta, "of": of, "T": int(T)})


def smoothed_entropy(d: Any, sigma: float) -> float:
    r""":math:`-\sum d \log(d + \sigma)` in nats, 0 log 0 being 0, for any shape of d.

    TypeError, ValueError (ModelError) for what are no probabilities, and unless sigma is positive.
    """
    x = check.float_array(d, "d", copy=False)
    check.check_probabilities(x, "d")
    border.positive(sigma, "sigma", "of the smoothed entropy")
    return _smoothed(x, sigma)


def _smoothed(x: np.ndarray, sigma: float) -> float:
    """The same, unchecked: what rounding leaves below zero counts as zero."""
    return float(-(x * np.log(np.where(x > 0, x + sigma, 1.0))).sum())


def _gap(
    b: Backups, d: np.ndarray, act: np.ndarray, sigma: float, of: str
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """The objective at d, its duality gap, and the policy and the visits of the best answer, found from the policy ``act``."""
    x = d if of == "pairs" else np.broadcast_to(d.sum(axis=1, keepdims=True), d.shape)
    slope = -np.log(x + sigma) - x / (x + sigma)
    act = improved(b, slope, act)
    best = _visits(b.mdp, act)
    return _smoothed(d if of == "pairs" else x[:, 0], sigma), float((slope * (best - d)).sum()), act, best


def _visits(mdp: MDP, pi: np.ndarray) -> np.ndarray:
    mu = occupancy(mdp, pi)
    return np.asarray(mu / mu.sum())
