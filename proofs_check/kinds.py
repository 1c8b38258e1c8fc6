"""Evidence that is neither an inequality nor an identity: what it says of each instance, and what is kept of it.

``view`` evaluates a body's evidence on a batch; ``record`` puts what a chunk shows into its tally, as data that merge by
concatenation; ``weighing`` makes a verdict of them. Where a sign decides (``Scaling``, ``Order``, ``Witness``) an instance that
the enclosures leave open is settled in rationals or balls of rising precision, and so is every refutation and every witness.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check import evidence
from proofs_check.evidence import Comparison, Identity, Inequality, Order, Sampled, Scaling, Trial, Witness
from proofs_check.statistics import orders
from proofs_check.statistics.slopes import checked_range, slope_signs, slope_status, slopes

if TYPE_CHECKING:
    from proofs_check.claim import Claim
    from proofs_check.runner import Chunk
    from proofs_check.verdict import Tally

GOOD, BAD, NEITHER, OPEN = 1, -1, 0, 2
LADDER = (64, 128, 256)  # bits of the balls that settle; an Order whose halves still overlap has not grown
CONFIRMED = 20  # refutations settled in each chunk: enough for the count to say many
WITNESSES = 4  # the same of witnesses


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


def record(chunk: Chunk, counted: np.ndarray, found: View, tally: Tally) -> None:
    """Add what a chunk shows; ``counted`` are the places of the view's instances in it.

    Averages are over the claim's families: a fixed model is no part of them, and does not count.
    """
    tally.kind = found.kind
    if found.status is None and chunk.model is not None:
        tally.drawn, tally.met = tally.drawn - chunk.batch.B, tally.met - counted.size
        return
    sample = {"at": chunk.label} | found.plain | found.outcomes
    if found.status is not None:
        sample |= _decide(chunk, counted, found, found.status, tally)
    elif found.kind == "Trial" and 1 in found.outcomes["failed"]:
        sample["first"] = chunk.address(int(counted[found.outcomes["failed"].index(1)]))
    tally.samples.append(sample)


def _decide(chunk: Chunk, counted: np.ndarray, found: View, status: np.ndarray, tally: Tally) -> dict[str, Any]:
    from proofs_check.counterexample import record as saved

    numbers = {name: (low.copy(), high.copy()) for name, (low, high) in found.numbers.items()}
    status, tried, witnesses = status.copy(), 0, []
    claimed, most = (GOOD, WITNESSES) if found.kind == "Witness" else (BAD, CONFIRMED)
    for j, i in enumerate(counted):
        first = int(status[j])
        if first not in (claimed, OPEN) or (first == claimed and tried >= most):
            tally.enclosure += first != claimed
            continue
        tried += first == claimed
        address = chunk.address(int(i))
        mdp, payloads = chunk.instance(int(i))
        arithmetic, one = settle_one(chunk.claim, mdp, payloads)
        for name, (low, high) in numbers.items():
            _meet(
                chunk.claim.id, name, (low[j], high[j]), (one.numbers[name][0][0], one.numbers[name][1][0]), arithmetic
            )
            low[j], high[j] = one.numbers[name][0][0], one.numbers[name][1][0]
        status[j] = int(one.status[0])  # type: ignore[index]
        if arithmetic == "exact":
            tally.exact += 1
        else:
            tally.balls += 1
        if status[j] == BAD:
            tally.refutation(mdp.S * mdp.A, saved(mdp, payloads, address))
        elif status[j] == GOOD and found.kind == "Witness":
            kept = mdp if one.instance is None else one.instance
            witnesses.append({"size": kept.S * kept.A} | saved(kept, payloads if kept is mdp else {}, address))
    if found.kind != "Witness":
        undecided = np.flatnonzero((status == OPEN) | (status == NEITHER)).tolist()
        tally.open += len(undecided)
        if undecided:
            tally.open_at = tally.open_at or chunk.address(int(counted[undecided[0]]))
    out: dict[str, Any] = {"witness": min(witnesses, key=lambda w: w["size"])} if witnesses else {}
    if found.kind == "Scaling":
        low, high = numbers["slopes"]
        out["slopes"] = [_finite(low.min(axis=0)), _finite(high.max(axis=0))]
    elif found.kind == "Order":
        worst = int(np.argmax(numbers["least"][0]))
        out |= {name: _finite(np.array([b[worst] for b in pair])) for name, pair in numbers.items()}
        out["worst"] = chunk.address(int(counted[worst]))
        out["growing"] = int((status == NEITHER).sum())
    return out


def look(claim: Claim, mdp: Any, payloads: Any) -> tuple[str, View] | None:
    """One instance of evidence of these kinds, settled where signs decide; None for an inequality or an identity."""
    from proofs_check.settle import screen

    found = screen(claim, mdp, payloads)
    if not isinstance(found, View):
        return None
    return ("enclosure", found) if found.status is None else settle_one(claim, mdp, payloads)


def settle_one(claim: Claim, mdp: Any, payloads: Any) -> tuple[str, View]:
    """One instance in rationals, or, where the formula leaves them, in balls until no sign is open."""
    from proofs_check.settle import RATIONAL_STATES
    from tabular.errors import NoExactForm
    from tabular.reference import BallOps, RationalOps

    found: View | None = None
    for ops in ([RationalOps()] if mdp.S <= RATIONAL_STATES else []) + [BallOps(bits) for bits in LADDER]:
        try:
            with ops if hasattr(ops, "__enter__") else nullcontext():
                found = view(ops, claim(ops, ops.model(mdp), **{k: p.lift(ops) for k, p in payloads.items()}), claim.id)
        except NoExactForm:
            continue
        except ZeroDivisionError:  # a ratio to a shape of zero, which signs can do without
            if isinstance(ops, BallOps):
                raise
            continue
        if found.status is not None and found.status[0] != OPEN:
            return "balls" if isinstance(ops, BallOps) else "exact", found
    if found is None:
        raise ValueError(f"{claim.id} could not be settled in any arithmetic")
    if found.kind == "Order":  # equal to 2^-256, as far as its enclosures tell: it does not grow
        low, high = (found.numbers[name] for name in ("early", "late"))
        if np.isfinite([*low, *high]).all() and found.plain["constant"] is None:
            return "balls", View("Order", np.array([GOOD]), found.numbers, plain=found.plain)
    return "balls", found


def _meet(claim_id: str, name: str, a: tuple[Any, Any], b: tuple[Any, Any], arithmetic: str) -> None:
    from proofs_check.settle import EngineFault

    if (np.asarray(a[1]) < b[0]).any() or (np.asarray(b[1]) < a[0]).any():
        raise EngineFault(
            f"{claim_id}: {name} is in [{a[0]!r}, {a[1]!r}] by enclosure, in [{b[0]!r}, {b[1]!r}] in {arithmetic} "
            f"arithmetic: one of the two is wrong"
        )


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


def _finite(x: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in x]
