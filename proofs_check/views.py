"""What evidence says of each instance, where it is neither an inequality nor an identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from proofs_check import evidence
from proofs_check.evidence import Comparison, Identity, Inequality, Order, Sampled, Scaling, Trial, Witness
from proofs_check.statistics import orders
from proofs_check.statistics.slopes import checked_range, slope_signs, slope_status, slopes

GOOD, BAD, NEITHER, OPEN = 1, -1, 0, 2


@dataclass(frozen=True)
class View:
    """An evidence on ``B`` instances.

    ``status`` (B,) is GOOD, BAD, NEITHER or OPEN where signs decide, None where the average does. ``numbers`` are
    enclosures (B, ...) by name; ``outcomes`` what a sample consists of, by name, one for each instance; ``plain``
    what is the same for all instances.
    """

    kind: str
    status: np.ndarray | None
    numbers: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    outcomes: dict[str, list[Any]] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    instance: Any = None


def view(ops: Any, found: Any, claim_id: str) -> View:
    """The view of an evidence in the arithmetic ``ops``. TypeError or ValueError for what is none, naming the claim."""
    size = 1 if ops.batch is None else int(ops.batch)
    match found:
        case Trial():
            return _trial(ops, found, claim_id, size)
        case Comparison():
            return _comparison(ops, found, claim_id, size)
        case Scaling():
            return _scaling(ops, found, claim_id, size)
        case Order():
            return _order(ops, found, claim_id, size)
        case Witness():
            return _witness(ops, found, claim_id)
    evidence.values(ops, found, claim_id)  # raises TypeError, which lists the kinds
    raise TypeError(f"{claim_id}: {type(found).__name__} is judged by its sides")


def _trial(ops: Any, found: Trial, claim_id: str, size: int) -> View:
    if isinstance(found.failed, (Inequality, Identity)):
        from proofs_check.settle import sides

        s = sides(ops, found.failed, claim_id)
        digits = np.where(s.wrong, 1, np.where(s.open, 2, 0))
    else:
        digits = np.asarray(found.failed)
        if digits.dtype != bool:
            raise TypeError(f"{claim_id}: Trial takes truth values or an Inequality, got {digits.dtype}")
    digits = np.broadcast_to(digits, (size,)).astype(int)
    low, high = _bounds(ops, found.delta, size)
    if not ((low > 0) & (high < 1)).all():
        raise ValueError(f"{claim_id}: delta = {float(low.min())!r} ... {float(high.max())!r}, expected in (0, 1)")
    return View("Trial", None, outcomes={"failed": digits.tolist(), "low": low.tolist(), "high": high.tolist()})


def _comparison(ops: Any, found: Comparison, claim_id: str, size: int) -> View:
    a, b, bound = (_value(ops, x) for x in (found.a, found.b, found.bound))
    wide = _bounds(ops, bound, size)
    if not (np.isfinite(wide[1]) & (wide[0] > 0)).all():
        raise ValueError(f"{claim_id}: Comparison needs a finite positive bound on |a - b|, computed from the model")
    low, high = _bounds(ops, (a - b) / bound, size)
    if ((low > 1) | (high < -1)).any():
        i = int(np.flatnonzero((low > 1) | (high < -1))[0])
        raise ValueError(f"{claim_id}: |a - b| exceeds its bound {float(wide[1][i])!r}, on instance {i} of a batch")
    outcomes = {"low": np.clip(low, -1, 1).tolist(), "high": np.clip(high, -1, 1).tolist(), "bound": wide[1].tolist()}
    return View("Comparison", None, outcomes=outcomes)


def _scaling(ops: Any, found: Scaling, claim_id: str, size: int) -> View:
    x = checked_range(found.x, f"{claim_id}: x of Scaling")
    low, high = (float(_bounds(ops, p, 1)[i][0]) for i, p in enumerate((found.low, found.high)))
    if not low <= high:
        raise ValueError(f"{claim_id}: exponents from {low} to {high}: expected them in order")
    plain = {"x": x.tolist(), "exponents": [low, high]}
    if isinstance(found.y, Sampled):
        return View("Scaling", None, outcomes={"y": _sampled(found.y, x.size, claim_id, size, plain)}, plain=plain)
    p = slopes(ops, x, points(ops, found.y, x.size, f"{claim_id}: y of Scaling"))
    status = np.broadcast_to(
        slope_status(slope_signs(ops, p, _value(ops, found.low), _value(ops, found.high))), (size,)
    )
    return View("Scaling", status, {"slopes": _stacked(ops, p, size)}, plain=plain)


def _order(ops: Any, found: Order, claim_id: str, size: int) -> View:
    n = count(found.shape)
    x = checked_range(np.arange(1, n + 1) if found.x is None else found.x, f"{claim_id}: x of Order")
    shape = points(ops, found.shape, x.size, f"{claim_id}: shape of Order")
    constant, growth = (None if p is None else float(p) for p in (found.constant, found.growth))
    plain: dict[str, Any] = {"x": x.tolist(), "constant": constant, "growth": growth}
    if any(((h < 0) | ((h == 0) & (constant is None))).any() for h in (_bounds(ops, g, size)[1] for g in shape)):
        raise ValueError(f"{claim_id}: the shape of Order must be positive")
    if isinstance(found.measured, Sampled):
        y = _sampled(found.measured, x.size, claim_id, size, plain)
        bounds = np.array([_bounds(ops, g, size) for g in shape])  # (n, 2, B)
        if (bounds != bounds[..., :1]).any():
            raise ValueError(
                f"{claim_id}: the shape of an Order of averages differs between instances: expected one for all"
            )
        plain["shape"] = bounds[..., 0].tolist()
        return View("Order", None, outcomes={"y": y}, plain=plain)
    measured = points(ops, found.measured, x.size, f"{claim_id}: measured of Order")
    status, numbers = order_status(ops, x, measured, shape, found.constant, found.growth)
    return View("Order", np.broadcast_to(status, (size,)), _wide(numbers, size), plain=plain)


def order_status(
    ops: Any, x: np.ndarray, measured: Sequence[Any], shape: Sequence[Any], constant: Any, growth: Any
) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Statuses, and enclosures of the least constant and of the largest ratios of both halves."""
    ratio = orders.ratios(measured, shape)
    early, late = orders.early_late(ops, x, ratio)
    signs = []
    if constant is not None:
        signs += [ops.sign(_value(ops, constant) * g - f) for f, g in zip(measured, shape, strict=True)]
    if growth is not None or constant is None:
        signs.append(ops.sign(orders.allowed(ops, x, growth) * early - late))
    each = np.stack([np.atleast_1d(s) for s in signs])
    wrong = (
        NEITHER if constant is None and growth is None else BAD
    )  # what grows is undecided, unless the growth was declared
    status = np.select([(each == -1).any(axis=0), (each == 2).any(axis=0)], [wrong, OPEN], GOOD)
    numbers = {"early": ops.bounds(early), "late": ops.bounds(late), "least": ops.bounds(ops.maximum(early, late))}
    return status, numbers


def _witness(ops: Any, found: Witness, claim_id: str) -> View:
    from proofs_check.settle import sides

    if not isinstance(found.holds, (Inequality, Identity)):
        raise TypeError(f"{claim_id}: Witness takes an Inequality or an Identity, got {type(found.holds).__name__}")
    s = sides(ops, found.holds, claim_id)
    equal = isinstance(found.holds, Identity)
    good = (s.sign == 0) & (equal or not found.strict) | (s.sign == 1) & (not equal)
    # An open sign may be a witness: it is settled. A decided one that does not fit is none, whatever the others say.
    status = np.select([good.all(axis=-1), (~good & (s.sign != 2)).any(axis=-1)], [GOOD, NEITHER], OPEN)
    return View("Witness", status, {"left": s.left, "right": s.right}, instance=found.instance)


def _value(ops: Any, x: Any) -> Any:
    from tabular.reference.value import Value

    if isinstance(x, Value):
        return x
    return ops.array(x, 0) if isinstance(x, np.ndarray) and x.ndim else ops.constant(x)


def _bounds(ops: Any, x: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(size,) lower and upper bounds of a scalar of the body; NaN becomes unbounded."""
    low, high = (np.broadcast_to(np.asarray(b, dtype=np.float64), (size,)) for b in ops.bounds(_value(ops, x)))
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def count(x: Any) -> int:
    """Number of points."""
    return len(x) if isinstance(x, (list, tuple, np.ndarray)) else int(x.shape[0])


def points(ops: Any, y: Any, n: int, name: str) -> list[Any]:
    """n scalar values of a value with one event axis, of an array (n,) or of a list."""
    if isinstance(y, np.ndarray):
        y = y.tolist()
    if count(y) != n:
        raise ValueError(f"{name} has {count(y)} points: expected {n}")
    return [_value(ops, y[k]) for k in range(n)]


def _sampled(y: Sampled, n: int, claim_id: str, size: int, plain: dict[str, Any]) -> list[Any]:
    """(B, n) outcomes over their bound, as lists; the bound goes to ``plain``."""
    high = np.broadcast_to(np.asarray(y.high, dtype=np.float64), (n,))
    values = np.asarray(y.values, dtype=np.float64)
    if values.shape not in ((size, n), (n,) if size == 1 else (size, n)):
        raise ValueError(
            f"{claim_id}: Sampled has shape {values.shape}: expected ({size}, {n}), an outcome of each trial"
        )
    if not (np.isfinite(high) & (high > 0)).all() or not ((values >= 0) & (values <= high)).all():
        raise ValueError(f"{claim_id}: an outcome of Sampled lies outside of [0, high]")
    plain["high"] = high.tolist()
    scaled: list[Any] = (values / high).reshape(size, n).tolist()
    return scaled


def _stacked(ops: Any, items: Sequence[Any], size: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = [_bounds(ops, x, size) for x in items]
    return np.stack([p[0] for p in pairs], axis=-1), np.stack([p[1] for p in pairs], axis=-1)


def _wide(numbers: dict[str, tuple[Any, Any]], size: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    clean = lambda b, far: np.where(np.isnan(b), far, b)  # noqa: E731
    return {
        name: (np.broadcast_to(clean(low, -np.inf), (size,)), np.broadcast_to(clean(high, np.inf), (size,)))
        for name, (low, high) in numbers.items()
    }
