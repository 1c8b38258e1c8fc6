"""The climb: several covariance-matrix-adaptation searches in step, each generation of all of them one batch.

Hansen and Ostermeier 2001, in the implementation of the package ``cmaes``, which draws from a generator of its own. Gradients
are not used: sides are maxima of maxima, and finite differences in a batch cost what a generation costs; they serve to polish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from proofs_check.adversary.coordinates import REACH, Space
from proofs_check.adversary.measure import NOTHING, Measured
from proofs_check.adversary.starts import Start

WIDTH = 8  # searches in step
POPULATION = 24  # of each; a batch of all of them costs little more than one of a few
PATIENCE = 30  # generations without gain after which a search gives way to the next start
GAIN = 1e-7  # of the quotient, relatively: a climb from a small one is no standstill
SIGMA = 0.25
POLISH = (0.1, 0.03, 0.01, 0.003, 1e-3, 1e-4, 1e-5)

Score = Callable[[Sequence[str], np.ndarray], Measured]  # labels, coordinates (N, size)


@dataclass
class Climber:
    """One search. ``apart``: ties do not count, so that it looks for a violation that is not next to one."""

    start: Start
    sigma: float
    apart: bool
    seed: int
    optimiser: Any = field(init=False)
    best: float = -np.inf
    x: np.ndarray | None = None
    since: int = 0

    def __post_init__(self) -> None:
        from cmaes import CMA

        size = len(self.start.x)
        bounds = np.array([[-REACH, REACH]] * size)
        mean = np.clip(self.start.x, -REACH * 0.999, REACH * 0.999)
        population = max(POPULATION, 4 + int(3 * np.log(size)))
        self.optimiser = CMA(
            mean=mean, sigma=self.sigma, bounds=bounds, n_max_resampling=2, seed=self.seed, population_size=population
        )

    def ask(self) -> np.ndarray:
        return np.stack([self.optimiser.ask() for _ in range(self.optimiser.population_size)])

    def tell(self, X: np.ndarray, m: Measured) -> None:
        f = m.apart if self.apart else m.margin
        i = int(np.argmax(f))
        self.since = 0 if f[i] > self.best + GAIN * min(1.0, abs(1.0 + self.best)) else self.since + 1
        if f[i] > self.best:
            self.best, self.x = float(f[i]), X[i]
        self.optimiser.tell([(x, -float(y)) for x, y in zip(X, f, strict=True)])

    @property
    def finished(self) -> bool:
        tied = not self.apart and abs(self.best) < 1e-13
        return self.since >= PATIENCE or tied or bool(self.optimiser.should_stop())


def climb(
    space: Space,
    starts: list[Start],
    score: Score,
    evaluations: int,
    seeds: Callable[[], int],
    stop: Callable[[], bool],
) -> tuple[np.ndarray, float] | None:
    """Search a space from its starts; the best coordinates with their margin. ``score`` is told everything."""
    if not starts:
        starts = [Start(np.zeros(space.size), NOTHING, "the origin")]
    queue = _order(starts)
    spent = made = 0
    active: list[Climber] = []
    best: tuple[np.ndarray, float] | None = None
    source = ""
    reserve = min(evaluations // 5, 2 * space.size * len(POLISH) * 3)
    while spent < evaluations - reserve and not stop():
        while len(active) < WIDTH:
            again = made // len(queue)
            start = queue[made % len(queue)]
            active.append(Climber(start, SIGMA * (1 + again), made % 2 == 1, seeds()))
            made += 1
        asked = [c.ask() for c in active]
        labels = [f"climb from {c.start.source}" for c, X in zip(active, asked, strict=True) for _ in X]
        m = score(labels, np.concatenate(asked))
        spent += len(m.margin)
        at = 0
        for c, X in zip(active, asked, strict=True):
            c.tell(X, _part(m, at, at + len(X)))
            at += len(X)
            if c.x is not None and (best is None or c.best > best[1]):
                best, source = (c.x, c.best), c.start.source
        active = [c for c in active if not c.finished]
    if best is not None and not stop():
        best = _polish(best, f"polish after {source}", score, reserve, stop)
    return best


def _order(starts: list[Start]) -> list[Start]:
    """Sources in turn, the best of each first, so that one source does not crowd out the rest."""
    by_source: dict[str, list[Start]] = {}
    for s in starts:
        by_source.setdefault(s.source, []).append(s)
    ranked = sorted(by_source.values(), key=lambda group: -group[0].margin)
    deepest = max(len(group) for group in ranked)
    return [group[i] for i in range(min(deepest, 4)) for group in ranked if i < len(group)]


def _part(m: Measured, i: int, j: int) -> Measured:
    return Measured(m.margin[i:j], m.apart[i:j], m.ratio[i:j], m.wrong[i:j], {})


def _polish(
    best: tuple[np.ndarray, float], label: str, score: Score, evaluations: int, stop: Callable[[], bool]
) -> tuple[np.ndarray, float]:
    """Steps along each coordinate, both ways, all of them one batch; the steps shrink."""
    x, top = best
    spent, size = 0, len(x)
    for step in POLISH:
        while spent + 2 * size <= evaluations and not stop():
            X = np.concatenate([x + step * np.eye(size), x - step * np.eye(size)])
            m = score([label] * len(X), X)
            spent += 2 * size
            i = int(np.argmax(m.margin))
            if not m.margin[i] > top + 1e-12:
                break
            x, top = X[i], float(m.margin[i])
    return x, top
