r"""Planning in an empirical model with perturbed rewards, and the average reward by way of a discount.

*Perturbed model-based planning* draws n successors of each available pair, adds to each reward an independent
:math:`Z \sim U(0, \zeta)`, and returns the optimal policy of the empirical model, which the noise makes unique. The
*reduction* runs it at a discount that the minorisation time t of the model asks for: with accuracy :math:`\epsilon`,

.. math:: \gamma = 1 - \frac{\epsilon}{19 t}, \qquad \zeta = \frac{(1 - \gamma) t}{4},
    \qquad n = \Big\lceil c \log\frac{2SA}{\delta} \frac{t}{\epsilon^2} \Big\rceil.

The form is the paper's; the constants 19, 1/4 and the logarithm are recalled, and c is one's own.
Source: Wang, Blanchet and Glynn 2024; Li, Wei, Chi, Gu and Chen 2020; Jin and Sidford 2021.
"""

from __future__ import annotations

from math import ceil, log
from typing import NamedTuple

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular.errors import NotConverged
from tabular.generative_model import GenerativeModel
from tabular.mdp import MDP
from tabular.planning._loops import howard_loop
from tabular.solution import Run, Status

MOST_POLICIES = 1_000


class ReductionParameters(NamedTuple):
    """Discount, width of the noise in units of reward, and samples of each pair."""

    gamma: float
    zeta: float
    n: int


def reduction_parameters(
    epsilon: float, t: float, S: int, A: int, *, delta: float = 0.05, c: float = 1.0
) -> ReductionParameters:
    """What the reduction runs at, for rewards in [0, 1].

    epsilon : accuracy of the average reward, below 1.  t : minorisation time of the model, at least 1.
    delta : probability of failure allowed.  c : multiplies the samples. ValueError outside of these ranges.

    >>> reduction_parameters(0.5, 2.0, 2, 2, delta=0.5)
    ReductionParameters(gamma=0.986842..., zeta=0.0065..., n=23)
    """
    border.positive(epsilon, "epsilon", "an average reward")
    border.positive(t, "t", "a number of steps")
    border.positive(delta, "delta", "a probability")
    border.positive(c, "c", "a multiple of the samples")
    border.count(S, "S")
    border.count(A, "A")
    if not (epsilon < 1 <= t and delta < 1):
        raise ValueError(f"epsilon is {epsilon}, t is {t}, delta is {delta}: expected epsilon < 1 <= t and delta < 1")
    gamma = 1.0 - epsilon / (19.0 * t)
    if gamma == 1.0:
        raise ValueError(f"epsilon is {epsilon}, t is {t}: the discount 1 - epsilon / (19 t) rounds to 1")
    n = ceil(c * log(2 * S * A / delta) * t / epsilon**2)
    return ReductionParameters(gamma, (1.0 - gamma) * t / 4.0, n)


def perturbed_planning(mdp: MDP, gamma: float, zeta: float, n: int, seed: int) -> Run:
    """The optimal policy of an empirical model with perturbed rewards.

    Parameters
    ----------
    mdp : MDP, of which n successors of each available pair are drawn; its rewards are known, its discount is not used.
    gamma : discount in [0, 1).  zeta : width of the noise, from 0 (without it ties are broken by the order of actions).
    n : samples of each pair.  seed : root seed, of which the samples and the noise are functions.

    Returns
    -------
    ``Run`` with ``actions`` (S,), ``V`` (S,) the values and ``Q`` (S, A) in the empirical model, ``R`` (S, A) its rewards and
    ``counts`` (S, A, S + 1), whose last column is the end. ``info["samples"]`` counts all samples.
    """
    border.expect(mdp, "perturbed_planning", "MDP")
    discount = check.check_gamma(gamma)[0]
    if discount >= 1:
        check.fail(f"gamma is {gamma}: expected a discount below one")
    border.positive(zeta, "zeta", "in units of reward", zero=True)
    border.count(n, "n")
    border.count(seed, "seed", 0)
    model = GenerativeModel(mdp, seed)
    noise = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=tuple(b"noise"))).random_raw(mdp.S * mdp.A)
    Z = zeta * ((noise >> np.uint64(11)) * 2.0**-53).reshape(mdp.S, mdp.A)
    empirical = model.empirical(n, rewards=mdp.rewards + Z, gamma=discount)
    b = Backups(empirical)
    found = howard_loop(b, np.zeros(mdp.S), b.q(np.zeros(mdp.S)).argmax(axis=1), MOST_POLICIES)
    if found.status is not Status.CONVERGED or found.actions is None:
        raise NotConverged(f"policy iteration on the empirical model: {found.status.value}")
    result = {"actions": found.actions, "V": found.V, "Q": b.q(found.V), "R": empirical.R, "counts": model.counts(n)}
    info = {"gamma": discount, "zeta": zeta, "n": n, "samples": n * int(mdp.mask.sum())}
    return Run(result, seed=seed, info=info)


def average_reward_reduction(
    mdp: MDP, epsilon: float, t: float, *, delta: float = 0.05, c: float = 1.0, seed: int = 0
) -> Run:
    """A policy for the average reward from samples: perturbed planning at the parameters of the reduction.

    Rewards must be in [0, 1] (ModelError), endings are refused, ``t`` is the minorisation time of the model or a bound on
    it.
    """
    from tabular.planning._gain_bounds import undiscounted

    border.expect(mdp, "average_reward_reduction", "MDP")
    model = undiscounted(mdp)
    outside = model.mask & ((model.rewards < 0) | (model.rewards > 1))
    if outside.any():
        s, a = (int(i) for i in np.argwhere(outside)[0])
        check.fail(f"R[{s}, {a}] is {model.rewards[s, a]:g}: the reduction takes rewards in [0, 1]")
    p = reduction_parameters(epsilon, t, mdp.S, mdp.A, delta=delta, c=c)
    return perturbed_planning(model, p.gamma, p.zeta, p.n, seed)
