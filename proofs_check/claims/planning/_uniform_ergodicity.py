"""The assumption of uniform ergodicity, and minorisation times, over ``ops``.

Every policy, also one that randomises, has a power of its chain with a positive column as soon as every deterministic one has:
the support of a chain of a policy contains that of some deterministic policy's.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from proofs_check import Assumption
from tabular.reference import average, operators


def forgets_within(steps: int) -> Assumption:
    """Every deterministic policy's chain has, after so many steps, a state that is reached from everywhere."""
    return Assumption(
        f"after {steps} steps under any policy some state is reached from every state",
        lambda m: _every_policy_shares(m, steps),
    )


def _every_policy_shares(model: Any, steps: int) -> np.ndarray:
    """(B,), or one truth value: read from the mask and from which transitions are possible."""
    P, mask = np.asarray(model.to_dense().P if hasattr(model, "to_dense") else model.P) > 0, np.asarray(model.mask)
    S, A = mask.shape[-2:]
    states, good = np.arange(S), np.ones(mask.shape[:-2], dtype=bool)
    for actions in product(range(A), repeat=S):
        chain = P[..., states, list(actions), :].astype(np.float32)
        power = chain
        for _ in range(steps - 1):
            power = (np.matmul(power, chain) > 0).astype(np.float32)
        shares = (power > 0).all(axis=-2).any(axis=-1)
        good &= shares | ~mask[..., states, list(actions)].all(axis=-1)
    return good


def stacked(ops: Any, items: list[Any]) -> Any:
    """Scalars as one value with an event axis."""
    place = ops.identity(len(items))
    return ops.fori(len(items), lambda k, total: total + items[k] * place[k], place[0] * 0)


def span(ops: Any, x: Any) -> Any:
    """Largest less smallest entry."""
    return ops.largest(x) - ops.smallest(x)


def reward_span(ops: Any, m: Any) -> Any:
    """Largest less smallest available reward: at most one where they are in [0, 1]."""
    return ops.largest(m.R, m.mask) - ops.smallest(m.R, m.mask)


def chain_of(ops: Any, m: Any, pi: Any) -> tuple[Any, Any]:
    """``P_pi`` and ``R_pi``."""
    return ops.transition(m.P, pi), operators.policy_reward(ops, m, pi)


def gain_of(ops: Any, m: Any, pi: Any) -> Any:
    """The average reward of a policy, a scalar: its chain has one recurrent class."""
    return average.unichain_gain(ops, *chain_of(ops, m, pi))


def policies_of(ops: Any, m: Any) -> list[Any]:
    """All deterministic policies, every action being available."""
    return [ops.distribution(pi) for pi in average.deterministic_policies(m.S, m.A)]


def best_gain(ops: Any, m: Any) -> Any:
    """The optimal average reward, by enumeration."""
    gains = [gain_of(ops, m, pi) for pi in policies_of(ops, m)]
    return ops.fori(len(gains), lambda k, best: ops.maximum(best, gains[k]), gains[0])


def longest_minorization(ops: Any, m: Any, steps: int) -> Any:
    r""":math:`\max_\pi \min_{m \le steps} m / p_m(\pi)`, at least the minorisation time of every deterministic policy."""

    def fastest(pi: Any) -> Any:
        shared = average.overlaps(ops, ops.transition(m.P, pi), steps)
        return ops.fori(steps, lambda k, best: ops.maximum(best, shared[k] / (k + 1)), shared[0])

    rates = [fastest(pi) for pi in policies_of(ops, m)]
    return 1 / ops.fori(len(rates), lambda k, least: ops.minimum(least, rates[k]), rates[0])
