"""From a claim and instances to compared sides: screening whole batches, and settling one instance exactly.

Screening evaluates the body once in ``EnclosureOps``: each side is a float64 interval that contains the exact value. Settling
evaluates it on one instance in rationals, which decide every sign, or, where the formula leaves the rationals, in balls of rising
precision. No tolerance enters: a sign is decided or it is not. What the screening left open begins at ``TIE_PRECISION``: the rung
below, at the precision of floats, would leave most of it open again, and costs as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs_check import evidence
from proofs_check.claim import Claim
from proofs_check.draws import Payload

LADDER = (64, 256, 1024, 2048)  # bits of precision of the balls
TIE_PRECISION = (
    256  # where most ties stop; the first ones, and sides that may be zero, climb on; large models stop at once
)
RATIONAL_STATES = 64  # larger models are settled in balls: numerators of n-by-n solutions have about n times the digits


class EngineFault(Exception):
    """Two arithmetics exclude each other: some implementation is wrong, and no verdict can be trusted."""


@dataclass(frozen=True)
class Sides:
    """Both sides of an evidence on ``B`` instances, flattened over its named axes to (B, E).

    ``sign`` is that of right minus left: -1, 0 (exactly), 1, or 2 where the enclosures leave it open; ``width`` bounds the distance
    of the sides relative to the largest side of the instance (infinite where that may be zero), ``gap`` their distance itself: both
    where some sign is open, or there is no quotient.
    """

    identity: bool
    left: tuple[np.ndarray, np.ndarray]
    right: tuple[np.ndarray, np.ndarray]
    trivial: tuple[np.ndarray, np.ndarray] | None
    sign: np.ndarray
    width: np.ndarray
    gap: np.ndarray
    quotient: bool = True  # whether left / right means something
    named: bool = False  # whether the entries are those of named axes

    @property
    def wrong(self) -> np.ndarray:
        """(B,) whether some entry separates the wrong way."""
        bad = (self.sign == -1) | (self.sign == 1) if self.identity else self.sign == -1
        return np.asarray(bad.any(axis=-1))

    @property
    def open(self) -> np.ndarray:
        """(B,) whether some entry is not decided."""
        return np.asarray((self.sign == 2).any(axis=-1))

    @property
    def finite(self) -> np.ndarray:
        """(B,) whether every enclosure is bounded."""
        return np.asarray(np.isfinite([*self.left, *self.right]).all(axis=(0, -1)))

    @property
    def null(self) -> np.ndarray:
        """(B, E) whether both sides may be zero: 0 <= 0 is no evidence that a bound is attained."""
        zero = [(low <= 0) & (high >= 0) for low, high in (self.left, self.right)]
        return np.asarray(zero[0] & zero[1])

    @property
    def attained(self) -> np.ndarray:
        """(B,) whether some entry is an equality, exactly or as far as the enclosures tell; as ``equal`` without a quotient."""
        if not self.quotient:
            return self.equal
        return np.asarray((((self.sign == 0) | (self.sign == 2)) & ~self.null).any(axis=-1))

    @property
    def equal(self) -> np.ndarray:
        """(B,) whether some entry is an equality exactly; without a quotient, one beside an entry whose sides differ."""
        exact = ((self.sign == 0) & ~self.null).any(axis=-1)
        return np.asarray(exact if self.quotient or not self.named else exact & self.apart)

    @property
    def apart(self) -> np.ndarray:
        """(B,) whether at some entry left is less than right."""
        return np.asarray((self.sign == 1).any(axis=-1))

    @property
    def least(self) -> np.ndarray:
        """(B,) at least the least ``right - left`` over entries where not both sides may be zero; infinite where there are none."""
        with np.errstate(invalid="ignore", over="ignore"):
            distance = np.nextafter(self.right[1] - self.left[0], np.inf)
        signed = np.where(self.sign == 0, 0.0, np.where(self.sign == -1, np.minimum(distance, 0.0), self.gap))
        return np.asarray(np.where(self.null | np.isnan(signed), np.inf, signed).min(axis=-1))

    @property
    def ratio(self) -> np.ndarray:
        """(B,) a lower bound on the largest ``measured / bound`` over entries with a positive bound; NaN where there is none."""
        if not self.quotient:
            return np.full(len(self.sign), np.nan)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            r = np.where((self.right[0] > 0) & (self.left[0] >= 0), self.left[0] / self.right[1], -np.inf)
        r = np.where((self.sign == 0) & (self.right[0] > 0), 1.0, np.nextafter(r, -np.inf))
        best = r.max(axis=-1)
        return np.where(np.isfinite(best), np.maximum(best, 0.0), np.nan)

    @property
    def resolution(self) -> np.ndarray:
        """(B,) bits to which undecided entries agree: their sides differ by at most 2^-bits of the instance's largest side."""
        return self._bits(self.width)

    @property
    def absolute(self) -> np.ndarray:
        """(B,) the same for the difference itself, where every side may be zero and nothing is relative to anything."""
        return self._bits(self.gap)

    def _bits(self, width: np.ndarray) -> np.ndarray:
        worst = np.where(self.sign == 2, width, 0.0).max(axis=-1)
        with np.errstate(divide="ignore"):
            bits = np.floor(-np.log2(worst))
        return np.where(worst == 0, np.inf, np.where(np.isnan(bits), -np.inf, bits))

    @property
    def informative(self) -> np.ndarray:
        """(B,) whether the bound goes below the trivial one somewhere; True where none is given."""
        if self.trivial is None:
            return np.ones(len(self.sign), dtype=bool)
        return np.asarray((self.right[1] < self.trivial[0]).any(axis=-1))


def sides(ops: Any, found: Any, claim_id: str) -> Sides:
    """The sides of an evidence in the arithmetic ``ops``."""
    left, right, trivial = evidence.values(ops, found, claim_id)
    difference = right - left
    lo, hi = _bounds(ops, left, difference.shape), _bounds(ops, right, difference.shape)
    sign = _flat(ops, ops.sign(difference), difference.shape)
    quotient = bool(getattr(found, "quotient", True))
    if (sign == 2).any() or not quotient:
        width, gap = _relative(ops, left, right, difference), _bounds(ops, ops.abs(difference), difference.shape)[1]
    else:  # nobody asks how far apart sides are whose order is known
        width = gap = np.broadcast_to(np.inf, sign.shape)
    return Sides(
        identity=isinstance(found, evidence.Identity),
        left=lo,
        right=hi,
        trivial=None if trivial is None else _bounds(ops, trivial, difference.shape),
        sign=sign,
        width=width,
        gap=gap,
        quotient=quotient,
        named=bool(found.axes),
    )


def _bounds(ops: Any, x: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    low, high = (_flat(ops, b, shape) for b in ops.bounds(x))
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def _flat(ops: Any, x: Any, shape: tuple[int, ...]) -> np.ndarray:
    """(B, E) from an array of batch axes and either the event ``shape`` or none (a scalar side beside named axes)."""
    x = np.asarray(x)
    if x.ndim == ops.nbatch and shape:
        x = x.reshape(x.shape + (1,) * len(shape))
    lead = x.shape[: x.ndim - len(shape)] or (1,)
    x = _wide(x, (*lead, *shape)).reshape(lead[0], max(1, math.prod(shape)))
    return _wide(x, (1 if ops.batch is None else int(ops.batch), x.shape[1]))


def _wide(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return x if x.shape == shape else np.broadcast_to(x, shape)


def _relative(ops: Any, left: Any, right: Any, difference: Any) -> np.ndarray:
    """(B, E) bounds on ``|difference|`` over the instance's largest side, divided in the arithmetic itself: no float overflows."""
    shape = difference.shape
    scale = ops.maximum(ops.norm(left), ops.norm(right))
    zero = _flat(ops, ops.sign(scale) != 1, ()).any(axis=-1, keepdims=True)
    if zero.all():  # rationals cannot divide by zero, and nobody needs it
        return np.broadcast_to(np.inf, _flat(ops, ops.sign(difference), shape).shape)
    return np.where(zero, np.inf, _bounds(ops, ops.abs(difference) / scale, shape)[1])


def screen(claim: Claim, batch: Any, payloads: Mapping[str, Payload], *, probed: bool = False) -> Any:
    """All instances at once in float64 enclosures; ``batch`` is an ``MDPBatch``, or an ``MDP`` with payloads of one instance.

    ``probed`` runs the compiled kernels beside them (EngineFault, see ``proofs_check.kernels``).
    """
    from proofs_check.kernels import ProbedOps
    from tabular.reference import EnclosureOps

    size = getattr(batch, "B", None)
    return evaluate(claim, ProbedOps(size) if probed else EnclosureOps(size), batch, payloads)


def evaluate(claim: Claim, ops: Any, model: Any, payloads: Mapping[str, Payload]) -> Any:
    """The body in one arithmetic: the sides of what it returns, or its ``views.View`` where it is of another kind."""
    with ops if hasattr(ops, "__enter__") else nullcontext():  # balls hold their precision in a context
        found = claim(ops, ops.model(model), **{name: p.lift(ops) for name, p in payloads.items()})
        if isinstance(found, (evidence.Inequality, evidence.Identity)):
            return sides(ops, found, claim.id)
        from proofs_check.views import view

        return view(ops, found, claim.id)


@dataclass(frozen=True)
class Settled:
    """What became of one instance: "holds", "tie" (equal as far as the balls tell, to ``bits``), "refuted" or "open"."""

    status: str
    arithmetic: str  # "exact", or "balls"
    bits: float  # resolution where undecided entries remain
    sides: Sides


class Settler:
    """Settles instances of one claim; remembers that its formula has no exact form, and how many ties went all the way."""

    def __init__(self, claim: Claim, full_ties: int = 4) -> None:
        self._claim = claim
        self._rational = True
        self._full = full_ties

    def __call__(self, mdp: Any, payloads: Mapping[str, Payload], screened: Sides | None = None) -> Settled:
        """``screened``: the same instance's screening, checked against every settled enclosure (EngineFault)."""
        from tabular.errors import NoExactForm
        from tabular.reference import BallOps, RationalOps

        if self._rational and mdp.S <= RATIONAL_STATES:
            try:
                return self._result("exact", np.inf, evaluate(self._claim, RationalOps(), mdp, payloads), screened)
            except NoExactForm:
                self._rational = False
            except ZeroDivisionError:
                pass  # undefined on this instance: balls say so
        undecided = screened is not None and bool(screened.open[0])
        for precision in LADDER[1:] if undecided and mdp.S <= RATIONAL_STATES else LADDER:
            result = self._result(
                "balls", precision, evaluate(self._claim, BallOps(precision), mdp, payloads), screened
            )
            if result.status not in ("tie", "open"):
                break
            relative = result.sides.resolution[0] >= precision / 2  # else a side may be zero: more bits may tell
            enough = mdp.S > RATIONAL_STATES or (precision >= TIE_PRECISION and self._full <= 0 and relative)
            if result.status == "tie" and enough:
                break
        else:
            self._full -= 1
        return result

    def _result(self, arithmetic: str, precision: float, found: Sides, screened: Sides | None) -> Settled:
        """A tie is an overlap that narrows as the precision grows: to half of its bits at least. Any other is open."""
        if screened is not None:
            compare(self._claim.id, screened, found, arithmetic)
        bits = float(found.resolution[0])
        if bits == -np.inf:
            bits = float(found.absolute[0])
        if found.wrong[0]:
            status = "refuted"
        elif not found.open[0]:
            status = "holds"
        else:
            status = "tie" if bits >= precision / 2 else "open"
        return Settled(status, arithmetic, bits, found)


def compare(claim_id: str, screened: Sides, settled: Sides, arithmetic: str) -> None:
    """Two enclosures of one number meet, and two decided signs agree; raises EngineFault naming both where they do not."""
    for name in ("left", "right", "trivial"):
        a, b = getattr(screened, name), getattr(settled, name)
        if a is None or b is None:
            continue
        apart = (a[1] < b[0]) | (b[1] < a[0])
        if apart.any():
            i = tuple(np.argwhere(apart)[0])
            raise EngineFault(
                f"{claim_id}: the {name} side is in [{a[0][i]!r}, {a[1][i]!r}] by enclosure, "
                f"in [{b[0][i]!r}, {b[1][i]!r}] in {arithmetic} arithmetic: one of the two is wrong"
            )
    decided = (screened.sign != 2) & (settled.sign != 2)
    if (decided & (screened.sign != settled.sign)).any():
        raise EngineFault(
            f"{claim_id}: the sign of right minus left differs between enclosure and {arithmetic} arithmetic"
        )


def one(s: Sides, i: int) -> Sides:
    """Instance ``i`` alone."""

    def pick(pair: Any) -> Any:
        return None if pair is None else (pair[0][i : i + 1], pair[1][i : i + 1])

    sign, width, gap = (x[i : i + 1] for x in (s.sign, s.width, s.gap))
    return Sides(s.identity, pick(s.left), pick(s.right), pick(s.trivial), sign, width, gap, s.quotient, s.named)
