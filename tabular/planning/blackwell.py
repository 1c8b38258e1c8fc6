"""From which discount on optimal policies are optimal for the average reward (Blackwell 1962), by bisection in rationals."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tabular import _border as border
from tabular.errors import NotConverged
from tabular.mdp import MDP

NEAREST = 200
"""Discounts up to ``1 - 2**-NEAREST`` are tried."""


class BlackwellBracket(NamedTuple):
    """At ``below`` some optimal policy of the discounted model is not optimal for the average reward; at ``above`` all are.

    ``below`` is None where all are at the discount 0 already.
    """

    below: Fraction | None
    above: Fraction


def blackwell_bracket(mdp: MDP, bits: int = 20) -> BlackwellBracket:
    """A change of the kind that Blackwell's theorem promises a last one of, to within ``2**-bits``; no pair may end.

    Every discount is settled exactly: all actions optimal for it are found in rationals, and the worst average reward of a
    policy of these alone is compared with the optimal one. Discounts 0, 1/2, 3/4, ... are tried until they agree, then
    the last interval is halved; a change farther up, after an agreement, is not seen.
    """
    border.expect(mdp, "blackwell_bracket", "MDP")
    border.count(bits, "bits")
    from tabular.certificates.exact_gain import exact_average_reward

    best = exact_average_reward(mdp).gain

    def agrees(gamma: Fraction) -> bool:
        return _worst_gain(mdp, gamma) == best

    if agrees(Fraction(0)):
        return BlackwellBracket(None, Fraction(0))
    k = 1
    while not agrees(1 - Fraction(1, 2**k)):
        k += 1
        if k > NEAREST:
            raise NotConverged(
                f"no discount up to 1 - 2^-{NEAREST} has optimal policies of optimal average reward alone"
            )
    below, above = 1 - Fraction(1, 2 ** (k - 1)), 1 - Fraction(1, 2**k)
    while above - below > Fraction(1, 2**bits):
        middle = (below + above) / 2
        below, above = (below, middle) if agrees(middle) else (middle, above)
    return BlackwellBracket(below, above)


def _worst_gain(mdp: MDP, gamma: Fraction) -> list[Fraction]:
    """Least average rewards of policies whose actions are optimal for a discount."""
    from tabular.certificates import exact_policy_iteration
    from tabular.certificates.exact_gain import exact_average_reward

    exact = mdp._exact
    discounted = mdp._with(
        gamma=float(gamma), gamma_exact=gamma, exact=None if exact is None else exact._replace(gamma=gamma)
    )
    if exact is None and gamma != Fraction(float(gamma)):
        from tabular._ingest import Given

        discounted = discounted._with(exact=Given(None, None, gamma, None))
    optimal = exact_policy_iteration(discounted).optimal_actions
    R = exact.R if exact is not None and exact.R is not None else None
    negated = mdp._with(
        mask=optimal,
        rewards=np.where(optimal, -mdp.rewards, 0.0),
        exact=None if exact is None else exact._replace(R=None if R is None else [-x for x in R]),
    )
    return [-x for x in exact_average_reward(negated).gain]
