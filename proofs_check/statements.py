"""What a claim says of one instance alone, as an inequality or an identity that signs decide: what is attacked, and shrunk.

| evidence | its statement of an instance |
| --- | --- |
| ``Inequality``, ``Identity`` | itself |
| ``Order`` with a ``constant`` | measured <= constant shape at every k: the quotient is measured / (constant shape) |
| ``Order`` with a ``growth`` | late <= early (k_n / k_m)^growth (``statistics.orders``): the quotient is how much of it is used |
| ``Order`` with neither | none can break it: what is sought is the largest measured / shape, its least constant |
| ``Scaling`` | not all five slopes beyond one end of [low, high]; there is no quotient, but the slopes that are reached |
| ``Witness`` | the one that is wanted |

An average over a family (``Trial``, ``Comparison``, whatever is ``Sampled``) says nothing of one instance: a trial that fails
is one that may, and whoever looks for one finds it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from proofs_check import views
from proofs_check.claim import Claim
from proofs_check.domains import sampled
from proofs_check.evidence import Identity, Inequality, Order, Sampled, Scaling, Trial, Witness
from proofs_check.settle import Settled, Sides
from proofs_check.statistics import orders
from proofs_check.statistics.slopes import checked_range, slopes


class NoStatement(Exception):
    """The claim says nothing of one instance; the message says why. ``trial``: it is a ``Trial``, which its family judges."""

    def __init__(self, why: str, trial: bool = False) -> None:
        super().__init__(why)
        self.trial = trial


@dataclass(frozen=True)
class Statement:
    """``claim`` has the same instances as the one that it is of, and a body that returns the inequality or identity.

    ``kind`` is that of the evidence. ``quotient``: measured / bound means something. ``refutable``: an instance can break it.
    ``wanted``: it is to be met on one instance (strictly where ``strict``), not on all. ``of``: a ``Scaling``, whose slopes count.
    """

    claim: Claim
    kind: str
    quotient: bool = True
    refutable: bool = True
    wanted: bool = False
    strict: bool = True
    of: Claim | None = None

    def met(self, s: Sides) -> np.ndarray:
        """(B,) of a witness: whether every sign is decided, and as it is wanted."""
        return np.asarray(self._fits(s).all(axis=-1))

    def possible(self, s: Sides) -> np.ndarray:
        """(B,) whether the signs that are decided are so."""
        return np.asarray((self._fits(s) | (s.sign == 2)).all(axis=-1))

    def _fits(self, s: Sides) -> np.ndarray:
        equal = s.identity or not self.strict
        return np.asarray((s.sign == 1) & (not s.identity) | (s.sign == 0) & equal)

    def claimed(self, settled: Settled) -> bool:
        """Whether an instance decides the claim: it refutes it, or is its witness."""
        return bool(self.met(settled.sides)[0]) if self.wanted else self.refutable and settled.status == "refuted"


def statement(claim: Claim) -> Statement:
    """The statement of a claim, learnt from one instance. Raises NoStatement, and whatever the body does."""
    from tabular.reference import EnclosureOps

    ops, batch = EnclosureOps(1), claim.family[0](0, 1)
    payloads = sampled(claim, batch, lambda salt: claim.family[0](salt, 1), 0)
    found = claim(ops, ops.model(batch), **{name: p.lift(ops) for name, p in payloads.items()})
    out = _of(ops, claim, found)
    if any(p.form == "streams" for p in payloads.values()):
        raise NoStatement("it draws random numbers, which no coordinates describe")
    return out


def _of(ops: Any, claim: Claim, found: Any) -> Statement:
    match found:
        case Inequality() | Identity():
            quotient = isinstance(found, Inequality) and bool(getattr(found, "quotient", True))
            return Statement(claim, "Inequality" if isinstance(found, Inequality) else "Identity", quotient)
        case Trial():
            raise NoStatement("a trial may fail on any instance", trial=True)
        case Order() if not isinstance(found.measured, Sampled):
            views.view(ops, found, claim.id)  # raises for what it refuses
            declared = found.constant is not None or found.growth is not None
            return Statement(_rewritten(claim, _order), "Order", quotient=declared, refutable=declared)
        case Scaling() if not isinstance(found.y, Sampled):
            views.view(ops, found, claim.id)
            return Statement(_rewritten(claim, _scaling), "Scaling", quotient=False, of=claim)
        case Witness():
            views.view(ops, found, claim.id)
            if found.instance is not None:
                raise NoStatement("it builds its witness itself: there is nothing to search")
            held = _rewritten(claim, lambda _ops, witness, _id: witness.holds)
            return Statement(held, "Witness", quotient=False, wanted=True, strict=found.strict)
    views.view(ops, found, claim.id)
    raise NoStatement(f"{type(found).__name__} is about the average over the family: no one instance breaks it")


def _rewritten(claim: Claim, rule: Callable[[Any, Any, str], Any]) -> Claim:
    def body(ops: Any, mdp: Any, **draws: Any) -> Any:
        return rule(ops, claim.body(ops, mdp, **draws), claim.id)

    functools.update_wrapper(body, claim.body)
    return replace(claim, body=body)


def _order(ops: Any, found: Order, claim_id: str) -> Inequality:
    x = checked_range(_range(found), f"{claim_id}: x of Order")
    measured = views.points(ops, found.measured, x.size, f"{claim_id}: measured of Order")
    shape = views.points(ops, found.shape, x.size, f"{claim_id}: shape of Order")
    if found.constant is None and found.growth is None:
        return Inequality(_stack(ops, measured), _stack(ops, shape), axes=("k",))
    left, right = [], []
    if found.constant is not None:
        left, right = measured, [found.constant * g for g in shape]
    if found.growth is not None:
        early, late = orders.early_late(ops, x, orders.ratios(measured, shape))
        left, right = [*left, late], [*right, orders.allowed(ops, x, found.growth) * early]
    return Inequality(_stack(ops, left), _stack(ops, right), axes=("k",))


def _range(found: Order) -> Any:
    return np.arange(1, views.count(found.shape) + 1) if found.x is None else found.x


def _scaling(ops: Any, found: Scaling, claim_id: str) -> Inequality:
    """1 + (least slope) - high <= 1 and 1 + low - (largest slope) <= 1: what separates the wrong way has all slopes on one side."""
    x = checked_range(found.x, f"{claim_id}: x of Scaling")
    p = slopes(ops, x, views.points(ops, found.y, x.size, f"{claim_id}: y of Scaling"))
    least, largest = functools.reduce(ops.minimum, p), functools.reduce(ops.maximum, p)
    return Inequality(_stack(ops, [1 + least - found.high, 1 + found.low - largest]), 1, axes=("end",))


def _stack(ops: Any, items: Sequence[Any]) -> Any:
    """(n,) of n scalar values, each of them as it is."""
    n = len(items)
    place = np.eye(n, dtype=bool).reshape(n, *(1,) * ops.nbatch, n)
    out = items[0] if n > 1 else ops.where(place[0], items[0], items[0])
    for k in range(1, n):
        out = ops.where(place[k], items[k], out)
    return out
