"""Simulated statements of every kind, true, false and at the edge, and how their verdicts come out.

Sampled statements are looked at every ``EACH`` trials, as the engine looks at them, and go through the functions that its
verdicts go through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from proofs_check.statistics import confidence, eprocess
from proofs_check.statistics.eprocess import HOLDS, REFUTES
from proofs_check.statistics.orders import middle, rate
from proofs_check.statistics.slopes import coefficients

EACH = 200  # trials between looks: a chunk of the runner
DELTAS = (0.1, 0.05, 0.01)


@dataclass(frozen=True)
class Row:
    """How ``runs`` statements of one kind came out. ``truth``: "true", "false" or "edge"."""

    kind: str
    statement: str
    size: str
    truth: str
    refuted: int
    held: int
    runs: int

    @property
    def errors(self) -> dict[str, int]:
        """Wrong verdicts by name; at the edge either is one."""
        wrong = {"refuted": self.refuted} if self.truth != "false" else {}
        return wrong | ({"holds": self.held} if self.truth != "true" else {})

    def limit(self, count: int) -> float:
        """Exact upper limit (Clopper and Pearson 1934), at 19/20, of a rate of which ``count`` were seen."""
        from scipy.stats import beta

        return 1.0 if count == self.runs else float(beta.ppf(0.95, count + 1, self.runs - count))


def source(name: str, seed: int) -> np.random.Generator:
    """Random numbers of one scenario, by its name."""
    return np.random.default_rng(np.random.SeedSequence([seed, *name.encode()]))


def trials(nulls: int, sizes: Sequence[int], seed: int, deltas: Sequence[float] = DELTAS) -> Iterator[Row]:
    """``Trial``: rates that are multiples of delta, and two families in turn whose average is delta."""
    for delta in deltas:
        for factor in (1.0, (0.5, 1.5), 0.0, 0.5, 0.8, 1.25, 1.5, 2.0):
            pair = factor if isinstance(factor, tuple) else (factor, factor)
            said = (
                f"rate {pair[0]:g} delta" if pair[0] == pair[1] else f"rates {pair[0]:g} and {pair[1]:g} delta in turn"
            )
            rng = source(f"trial {delta} {factor}", seed)
            average = sum(pair) / 2
            truth = "edge" if average == 1 else "true" if average < 1 else "false"
            refuted, hits, n = np.zeros(nulls, dtype=bool), np.zeros(nulls, dtype=np.int64), 0
            for look in range(max(sizes) // EACH):
                half = EACH // 2
                hits += rng.binomial(half, pair[0] * delta, nulls) + rng.binomial(EACH - half, pair[1] * delta, nulls)
                n = (look + 1) * EACH
                refuted |= eprocess.log_rate_above(hits, n, delta) >= REFUTES
                if n in sizes:
                    held = ~refuted & (eprocess.log_rate_below(hits, n, delta) >= HOLDS)
                    yield Row("Trial", f"{said}, delta = {delta:g}", f"{n:,}", truth, refuted.sum(), held.sum(), nulls)


# Differences as atoms and probabilities with mean 0: fair coins, small steps, and a rare large loss.
DIFFERENCES = {
    "coins": (np.array([-1.0, 1.0]), np.array([0.5, 0.5])),
    "small steps": (np.array([-0.2, -0.1, 0.0, 0.1, 0.2]), np.full(5, 0.2)),
    "a rare large loss": (np.array([-0.95, 0.05]), np.array([0.05, 0.95])),
}
SHIFTS = (0.0, 0.02, -0.02, 0.05, -0.05)


def comparisons(nulls: int, sizes: Sequence[int], seed: int) -> Iterator[Row]:
    """``Comparison``: differences with bound 1 whose mean is 0, or shifted a little."""
    bets = eprocess.timid()
    for name, (atoms, chances) in DIFFERENCES.items():
        for shift in SHIFTS:
            rng = source(f"comparison {name} {shift}", seed)
            p = chances.copy()
            p[-1] += shift / (atoms[-1] - atoms[0])
            p[0] -= shift / (atoms[-1] - atoms[0])
            truth = "edge" if shift == 0 else "true" if shift > 0 else "false"
            refuted, counts = np.zeros(nulls, dtype=bool), np.zeros((nulls, atoms.size))
            for look in range(max(sizes) // EACH):
                counts += rng.multinomial(EACH, p, nulls)
                n = (look + 1) * EACH
                refuted |= eprocess.log_wealth((1 - atoms) / 2, 0.5, bets, counts) >= REFUTES
                if n in sizes:
                    held = ~refuted & (eprocess.log_wealth((1 + atoms) / 2, 0.5, bets, counts) >= HOLDS)
                    said = f"{name}, mean {shift:+g}" if shift else f"{name}, mean 0"
                    yield Row("Comparison", said, f"{n:,}", truth, refuted.sum(), held.sum(), nulls)


RANGE = 2.0 ** np.arange(3, 11)  # 8 ... 1024


def slope_verdicts(
    low_y: np.ndarray, high_y: np.ndarray, x: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where four slopes lie in [low, high], and where all five lie on one side, for log y (..., n) in [low_y, high_y]."""
    c = coefficients(x)
    # What 0 times an infinite logarithm would be is 0: that point is no part of the slope.
    lo = np.where(c > 0, c * np.maximum(low_y, -1e9)[..., None, :], c * high_y[..., None, :]).sum(axis=-1)
    hi = np.where(c > 0, c * high_y[..., None, :], c * np.maximum(low_y, -1e9)[..., None, :]).sum(axis=-1)
    inside = ((lo >= low) & (hi <= high))[..., :4].all(axis=-1)
    return inside, (lo > high).all(axis=-1) | (hi < low).all(axis=-1)


def scalings(nulls: int, seed: int) -> Iterator[Row]:
    """``Scaling`` of exact values with a lower-order term or a logarithm; the truth is the exponent at infinity."""
    cases: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
        "1 + D/x^r, |D| <= 1, r in [0.3, 2]": lambda g: (g.uniform(-1, 1, (nulls, 1)), g.uniform(0.3, 2, (nulls, 1))),
        "1 + D/x^r, D in [1, 10], r in [0.5, 2]": lambda g: (
            g.uniform(1, 10, (nulls, 1)),
            g.uniform(0.5, 2, (nulls, 1)),
        ),
        "1 + D/x^r, |D| <= 1, r in [0.05, 0.3]": lambda g: (
            g.uniform(-1, 1, (nulls, 1)),
            g.uniform(0.05, 0.3, (nulls, 1)),
        ),
        "a factor log x": lambda g: (np.zeros((nulls, 1)), np.ones((nulls, 1))),
    }
    for name, drawn in cases.items():
        for truth, offset in (("true", 0.05), ("false", 0.15)):
            rng = source(f"scaling {name} {truth}", seed)
            D, r = drawn(rng)
            p = -0.5 + rng.uniform(-0.05, 0.05, (nulls, 1))
            if truth == "false":  # up to a tenth beyond the stated interval
                p = -0.5 + rng.choice([-1, 1], (nulls, 1)) * rng.uniform(0.05, offset, (nulls, 1))
            log_y = p * np.log(RANGE) + (np.log(np.log(RANGE)) if "log" in name else np.log1p(D * RANGE**-r))
            inside, outside = slope_verdicts(log_y, log_y, RANGE, -0.55, -0.45)
            yield Row("Scaling", name, "8 ... 1024", truth, outside.sum(), inside.sum(), nulls)


def sampled_scalings(nulls: int, sizes: Sequence[int], seed: int) -> Iterator[Row]:
    """``Scaling`` of means of two outcomes on six points: power laws, whose bounds are known to be of the same order."""
    x = 4.0 ** np.arange(6)
    cases = [((0.0, 1.0), p, t) for p, t in ((-0.55, "edge"), (-0.5, "true"), (-0.4, "false"), (-0.25, "false"))]
    cases += [((0.6, 1.0), p, t) for p, t in ((-0.55, "edge"), (-0.5, "true"), (-0.44, "false"), (-0.4, "false"))]
    for outcomes, p, truth in cases:
        rng = source(f"sampled scaling {outcomes} {p}", seed)
        hits, before = np.zeros((nulls, 6), dtype=np.int64), 0
        for n in sizes:
            hits += rng.binomial(n - before, 0.5, (nulls, 6))
            before = n
            found = []
            for level in (1 / 20, 1e-6):
                low, high = mean_limits(np.array(outcomes), hits, n, level / 12)
                with np.errstate(divide="ignore"):
                    logs = [np.log(b) + p * np.log(x) for b in (low, high)]
                found.append(slope_verdicts(logs[0], logs[1], x, -0.55, -0.45))
            said = f"outcomes {outcomes[0]:g} or {outcomes[1]:g} times x^{p:g}"
            yield Row("Scaling, sampled", said, f"{n:,}", truth, found[1][1].sum(), found[0][0].sum(), nulls)


def mean_limits(y: np.ndarray, hits: np.ndarray, n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The engine's limits, each at ``level``, of means of outcomes y[0] and y[1], the latter ``hits`` times of n."""
    seen, place = np.unique(hits, return_inverse=True)
    counts = np.stack([n - seen, seen], axis=-1)
    low, high = (f(y, level, counts=counts, steps=30) for f in (confidence.lower_mean, confidence.upper_mean))
    return low[place].reshape(hits.shape), high[place].reshape(hits.shape)


def ordered(nulls: int, seed: int) -> Iterator[Row]:
    """``Order`` without a declaration: ratios that stay bounded, and ratios that do not; never refuted, by construction."""
    k = np.arange(1.0, 257.0)
    shapes: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]]] = {
        "1 + a/k": ("true", lambda a, w, f: 1 + a / k),
        "1 - a/k (grows to its limit)": ("true", lambda a, w, f: 1 - a / k / 2),
        "1 + a sin(w log k + f)/2 (swings)": ("true", lambda a, w, f: 1 + a * np.sin(w * np.log(k) + f) / 2),
        "log(k + 1)": ("false", lambda a, w, f: a * np.log(k + 1)),
        "log log(k + 2)": ("false", lambda a, w, f: a * np.log(np.log(k + 2))),
        "k^0.05": ("false", lambda a, w, f: a * k**0.05),
        "k^0.2 (1 + sin(w log k + f)/10)": ("false", lambda a, w, f: k**0.2 * (1 + np.sin(w * np.log(k) + f) / 10)),
        "log(k + 1) (1 + sin(w log k + f)/2)": (
            "false",
            lambda a, w, f: np.log(k + 1) * (1 + np.sin(w * np.log(k) + f) / 2),
        ),
    }
    for name, (truth, shape) in shapes.items():
        rng = source(f"order {name}", seed)
        a, w, f = (rng.uniform(low, high, (nulls, 1)) for low, high in ((0.1, 1), (1, 12), (0, 7)))
        ratio = shape(a, w, f)
        early, late = ratio[:, : middle(k)].max(axis=-1), ratio[:, middle(k) :].max(axis=-1)
        held = rate(k, early, late) <= 0
        yield Row("Order", f"ratio {name}", "1 ... 256", truth, 0, held.sum(), nulls)


def sampled_orders(nulls: int, sizes: Sequence[int], seed: int) -> Iterator[Row]:
    """``Order`` of means of zeros and ones with a declared constant, on six points; the ratio is 1/2 on all of them."""
    for constant, truth in ((0.5, "edge"), (0.6, "true"), (0.4, "false")):
        rng = source(f"sampled order {constant}", seed)
        hits, before = np.zeros((nulls, 6), dtype=np.int64), 0
        for n in sizes:
            hits += rng.binomial(n - before, 0.5, (nulls, 6))
            before = n
            (_, high), (low, _) = (mean_limits(np.array([0.0, 1.0]), hits, n, level / 12) for level in (1 / 20, 1e-6))
            bad, good = (low > constant).any(axis=-1), (high <= constant).all(axis=-1)
            yield Row(
                "Order, sampled", f"ratio 0.5, constant {constant:g}", f"{n:,}", truth, bad.sum(), good.sum(), nulls
            )


def exact(nulls: int, seed: int) -> Iterator[Row]:
    """Statements that are settled, not sampled, through the whole engine: sides that are equal, or nearly so."""
    from proofs_check import calibration_claims as claims
    from proofs_check.runner import Budget, verify

    budget = Budget("calibration", nulls, 0, 0, 0)
    for name, truth, each in claims.ALL:
        verdict = verify(each, budget, seed)
        tally = verdict.tally
        if tally.kind == "Witness":  # the nulls have no witness anywhere; where there are some, a chunk finds one
            found = sum("witness" in s for s in tally.samples)
            yield Row("Witness", name, "", truth, 0, found, tally.met if truth == "false" else len(tally.samples))
            continue
        # Of what separates the wrong way, a few in each chunk are confirmed; the rest is neither settled nor counted.
        held = tally.enclosure + tally.exact + tally.balls - tally.refuted
        wrong = tally.met - held - tally.open if tally.refuted else 0
        yield Row("Identity" if tally.identity else "Inequality", name, "", truth, wrong, held, tally.met)
