"""The verdicts of ranges (``Scaling``, ``Order``) and of ``Witness``; see ``weighing``.

Means over a sample are enclosed by confidence sequences, all of them at once: at 1/20 together where a statement is
to hold, at 10^-6 where it is to be refuted (each limit at its share, by the union bound).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from proofs_check.statistics import confidence, orders
from proofs_check.statistics.slopes import slope_signs, slope_status, slopes
from proofs_check.views import BAD, GOOD, NEITHER, order_status
from proofs_check.weighing import LEVEL, Weighed, count, down, up

SURE = 1e-6
Statement = Callable[[Any, list[Any]], tuple[int, dict[str, Any]]]


SAME = ("x", "high", "shape", "exponents", "constant", "growth")  # of all trials of an average


def varying(samples: list[dict[str, Any]]) -> str:
    """Which of what all trials of an average must share differs between chunks; "" where nothing does."""
    return next((name for name in SAME for s in samples if "y" in s and s.get(name) != samples[0].get(name)), "")


def means(samples: list[dict[str, Any]], level: float) -> tuple[int, list[tuple[float, float]]]:
    """Number of trials, and enclosures of the n means, each of them at all times, with probability at least 1 - level."""
    y = np.concatenate([np.asarray(s["y"], dtype=np.float64) for s in samples]).T
    share = level / (2 * len(y))
    pairs = []
    for row, high in zip(y, samples[0]["high"], strict=True):
        low, top = confidence.lower_mean(row, share), confidence.upper_mean(row, share)
        pairs.append((max(0.0, float(np.nextafter(low * high, 0.0))), float(np.nextafter(top * high, np.inf))))
    return y.shape[1], pairs


def between(ops: Any, low: float, high: float) -> Any:
    """A value of ``ops`` that encloses [low, high]."""
    middle = low + (high - low) / 2
    radius = float(np.nextafter(max(high - middle, middle - low), np.inf)) if high > low else 0.0
    return ops.inflate(ops.constant(middle), ops.constant(radius))


def of_means(samples: list[dict[str, Any]], statement: Statement) -> tuple[int, int, dict[str, Any]]:
    """Trials, status (BAD at 10^-6; else that at 1/20, never BAD), numbers at 1/20."""
    from tabular.reference import EnclosureOps

    ops = EnclosureOps(None)
    n, pairs = means(samples, LEVEL)
    status, numbers = statement(ops, [between(ops, *p) for p in pairs])
    if status == BAD:
        _, wide = means(samples, SURE)
        if statement(ops, [between(ops, *p) for p in wide])[0] == BAD:
            return n, BAD, numbers
        status = NEITHER
    return n, status, numbers


def scaling(samples: list[dict[str, Any]], tally: Any) -> Weighed:
    """The verdict of ``Scaling``."""
    if name := varying(samples):
        return _no_average(name, tally)
    x, (low, high) = np.array(samples[0]["x"]), samples[0]["exponents"]
    span = f"for x from {x[0]:g} to {x[-1]:g}"
    within = f"[{low:g}, {high:g}]"
    if "y" in samples[0]:

        def statement(ops: Any, y: list[Any]) -> tuple[int, dict[str, Any]]:
            p = slopes(ops, x, y)
            status = slope_status(slope_signs(ops, p, ops.constant(low), ops.constant(high)))[0]
            ends = [[float(ops.bounds(v)[k]) for v in p] for k in (0, 1)]
            return int(status), {"slopes": [[b if np.isfinite(b) else None for b in end] for end in ends]}

        n, status, details = of_means(samples, statement)
        details |= {"trials": n, "range": [float(x[0]), float(x[-1])]}
        rests_on = f"on {count(n, 'trial')} {span}: slopes of the means{_hull(details['slopes'])} (19/20)"
        if status == BAD:
            return Weighed("refuted", rests_on, f"all slopes on one side of {within}, at 10^-6", details)
        reason = "" if status == GOOD else f"the slopes are not all enclosed in {within}"
        return Weighed("holds" if status == GOOD else "undecided", rests_on, reason, details)
    ends = [[_extreme([s["slopes"][k][i] for s in samples], k) for i in range(5)] for k in (0, 1)]
    details = {"range": [float(x[0]), float(x[-1])], "slopes": ends}
    rests_on = f"on {count(tally.met, 'instance')} {span}: slopes of whole, halves and continued drift{_hull(ends)}"
    if tally.refuted:
        reason = f"all slopes on one side of {within} on {count(tally.refuted, 'instance')}, e.g. {tally.counterexample['address']}"
        return Weighed("refuted", rests_on, reason, details)
    if tally.open:
        reason = f"some slope is not in {within} on {count(tally.open, 'instance')}, e.g. {tally.open_at}"
        return Weighed("undecided", rests_on, reason, details)
    return Weighed("holds", rests_on, "", details)


def order(samples: list[dict[str, Any]], tally: Any) -> Weighed:
    """The verdict of ``Order``."""
    if name := varying(samples):
        return _no_average(name, tally)
    first = samples[0]
    x, constant, growth = np.array(first["x"]), first["constant"], first["growth"]
    span = f"for k from {x[0]:g} to {x[-1]:g}"
    if "y" in first:

        def statement(ops: Any, y: list[Any]) -> tuple[int, dict[str, Any]]:
            shape = [between(ops, *pair) for pair in first["shape"]]
            status, numbers = order_status(ops, x, y, shape, constant, growth)
            return int(status[0]), {name: [_finite(b) for b in pair] for name, pair in numbers.items()}

        n, status, numbers = of_means(samples, statement)
        on, where = f"on {count(n, 'trial')} {span}", ""
    else:
        worst = max(samples, key=lambda s: -np.inf if s["least"][0] is None else s["least"][0])
        numbers = {name: worst[name] for name in ("early", "late", "least")}
        on, where = f"on {count(tally.met, 'instance')} {span}", worst["worst"]
        status = BAD if tally.refuted else NEITHER if tally.open else GOOD
    early, late, least = numbers["early"], numbers["late"], numbers["least"]
    pace = None
    if early[0] is not None and late[1] is not None and early[0] > 0 and late[1] > 0:
        pace = float(orders.rate(x, sum(early) / 2 if early[1] is not None else early[0], (late[0] + late[1]) / 2))
    details = {
        "range": [float(x[0]), float(x[-1])],
        **numbers,
        "rate": pace,
        "declared": {"constant": constant, "growth": growth},
    }
    most = "unknown" if least[1] is None else up(least[1])
    rests_on = f"{on}: least constant {most}{' at ' + where if where else ''}"
    ratio = None if constant is None or least[0] is None or constant <= 0 else least[0] / constant
    if status == BAD:
        declared = [f"the constant {constant:g}"] if constant is not None else []
        declared += [f"growth {growth:g}"] if growth is not None else []
        reason = f"beyond {' or '.join(declared)}" + (
            f", e.g. {tally.counterexample['address']}" if tally.refuted else ""
        )
        return Weighed("refuted", rests_on, reason, details, ratio, where)
    if status == GOOD:
        return Weighed("holds", rests_on, "", details, ratio, where)
    trend = "" if pace is None else f", like k^{pace:.3g} from the first half of the range to the second"
    unclear = tally.open and not any(s.get("growing") for s in samples) if "y" not in first else status != NEITHER
    reason = "the ratio is not enclosed well enough" if unclear else f"the ratio grows{trend}"
    return Weighed(
        "undecided", rests_on, reason + (f", e.g. {tally.open_at}" if tally.open else ""), details, ratio, where
    )


def witness(samples: list[dict[str, Any]], tally: Any) -> Weighed:
    """The verdict of ``Witness``."""
    found = [s["witness"] for s in samples if "witness" in s]
    if not found:
        return Weighed("undecided", f"on {count(tally.met, 'instance')}", "none of them is a witness")
    best = min(found, key=lambda w: w["size"])
    return Weighed(
        "holds",
        f"on the witness {best['address']}, of {best['size']} state-action pairs, decided exactly",
        "",
        {"witness": best},
    )


def _no_average(name: str, tally: Any) -> Weighed:
    reason = f"{name!r} differs between chunks: trials of one average need the same"
    return Weighed("undecided", f"on {count(tally.met, 'trial')}", reason)


def _hull(ends: list[list[float | None]]) -> str:
    low, high = ([v for v in end[:4] if v is not None] for end in ends)
    return f" in [{down(min(low))}, {up(max(high))}]" if len(low) == len(high) == 4 else " unbounded"


def _extreme(items: list[float | None], k: int) -> float | None:
    given = [v for v in items if v is not None]
    return None if len(given) < len(items) else (max if k else min)(given)


def _finite(x: Any) -> float | None:
    return float(x) if np.isfinite(x) else None
