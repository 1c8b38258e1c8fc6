r"""UCRL2, part 2: how many epochs there are, and the lower bound's model.

Before each step the epoch ends if the pair about to be played has been played in it as often as before it, and at least once.
"""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np

from proofs_check import Identity, Inequality, claim, families, scalars, streams, twin
from proofs_check.claims.exploration.ucrl2_sets import JAKSCH
from tabular.reference import average

STEPS = 192


def epochs_begun(rng: Any, pairs: int, T: int) -> np.ndarray:
    """(..., T) epochs begun in the first t steps, t = 1 ... T, of pairs that come as they like.

    By a coin for each trial, the pair about to be played is any one, or the one nearest to the end of its epoch; the one played
    after an epoch has ended is that of the least count.
    """
    u = rng.uniform("pairs", T)
    lead = u.shape[:-1]
    greedy = rng.uniform("who", 1)[..., 0] < 0.5
    total, inside = np.zeros((*lead, pairs), dtype=np.int64), np.zeros((*lead, pairs), dtype=np.int64)
    begun, out = np.ones(lead, dtype=np.int64), []
    for t in range(T):
        left = np.maximum(total, 1) - inside
        chosen = np.where(greedy, left.argmin(axis=-1), (u[..., t] * pairs).astype(np.int64))
        place = chosen[..., None] == np.arange(pairs)
        over = _ends(total, inside, place)
        begun = begun + over
        total = total + np.where(over[..., None], inside, 0)
        inside = np.where(over[..., None], 0, inside)
        fewest = total.argmin(axis=-1)[..., None] == np.arange(pairs)
        inside = inside + np.where(over[..., None], fewest, place)
        out.append(begun)
    return np.stack(out, axis=-1)


def _ends(total: np.ndarray, inside: np.ndarray, place: np.ndarray) -> np.ndarray:
    needed = np.maximum(total, 1)
    return np.asarray(((inside >= needed) & place).any(axis=-1))


def allowed(pairs: int, T: int, form: str) -> np.ndarray:
    """(T,) bounds: "sharp" is 1 + SA log2(1 + 2t/SA), "printed" 1 + 2SA + SA log2(t/SA) from t = SA on, "bare" that without
    2SA."""
    t = np.arange(1, T + 1)
    if form == "sharp":
        return np.array([1 + pairs * log2(1 + 2 * x / pairs) for x in t])
    known = 1 + pairs * np.log2(np.maximum(t, pairs) / pairs) + (2 * pairs if form == "printed" else 0)
    return np.where(t >= pairs, known, 1 + 2 * pairs)


FAMILY = (families.bandits(2), families.garnet(2, 2), families.garnet(3, 2))
COUNTED: dict[str, Any] = {"family": FAMILY, "draws": {"rng": streams()}, "source": JAKSCH, "instances": ()}


def _epochs(ops: Any, m: Any, rng: Any, form: str) -> Inequality:
    begun = epochs_begun(rng, m.S * m.A, STEPS)
    return Inequality(ops.array(begun, 1), ops.array(allowed(m.S * m.A, STEPS, form), 1), axes=("t",))


@claim(id="ucrl2.C5", kind="inequality", **COUNTED)
def few_epochs(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""At most 1 + 2SA + SA \log_2(T/SA) epochs begin in T \ge SA steps, in whatever order pairs are played; here T up to 192.

    Proof: C5a, and :math:`\log_2(1 + 2x) \le \log_2(3x) \le 2 + \log_2 x` for :math:`x \ge 1`.
    """
    return _epochs(ops, m, rng, "printed")


@twin(few_epochs, why="without 2SA")
def fewer_epochs(ops: Any, m: Any, rng: Any) -> Inequality:
    return _epochs(ops, m, rng, "bare")


@claim(id="ucrl2.C5a", kind="inequality", **COUNTED | {"source": "ours, after " + JAKSCH})
def fewer_epochs_still(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""At most 1 + SA \log_2(1 + 2T/SA) epochs begin in T steps, for every T.

    Proof: a pair that has ended K epochs has the count at least :math:`2^{K-1}` if :math:`K \ge 1`, so :math:`2^K \le
    2N + 1` in any case. Add over pairs, :math:`\sum N \le T`, and the mean of the powers is at least the power of the
    mean.
    """
    return _epochs(ops, m, rng, "sharp")


@twin(fewer_epochs_still, why="1 + SA log2(T/SA) alone")
def fewest_epochs(ops: Any, m: Any, rng: Any) -> Inequality:
    return _epochs(ops, m, rng, "bare")


GADGET = {"delta": scalars(1 / 1024, 0.5), "eps": scalars(0.0, 0.5)}


def _gadget_gain(ops: Any, leave: Any, delta: Any) -> Any:
    """Of the policy that leaves state 0 with probability ``leave``; state 1 pays 1 and is left with ``delta``."""
    P = ops.stack([ops.stack([1 - leave, leave]), ops.stack([delta, 1 - delta])])
    return average.unichain_gain(ops, P, ops.identity(2)[1])


@claim(
    id="ucrl2.C2a",
    family=families.bandits(1),
    draws=GADGET,
    source="Jaksch, Ortner and Auer 2010, section 6",
    kind="identity",
    instances=(),
)
def gadget(ops: Any, m: Any, delta: Any, eps: Any) -> Identity:
    r"""In the two-state model of the lower bound the planted action earns (\delta + \varepsilon) / (2\delta +
    \varepsilon) a step, any other one half.

    Proof: the stationary law of two states is in proportion to the chances to enter them.
    """
    found = ops.stack([_gadget_gain(ops, delta + eps, delta), _gadget_gain(ops, delta, delta)])
    return Identity(found, ops.stack([(delta + eps) / (2 * delta + eps), 0 * eps + 0.5]), axes=("action",))


@twin(gadget, why="with epsilon twice in the denominator")
def gadget_with_two_gaps(ops: Any, m: Any, delta: Any, eps: Any) -> Identity:
    return Identity(_gadget_gain(ops, delta + eps, delta), (delta + eps) / (2 * delta + 2 * eps))
