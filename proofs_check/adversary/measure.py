"""How near instances come to breaking a claim: one number for each, from float64 enclosures of a whole batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs_check.domains import assumptions_met
from proofs_check.draws import Payload
from proofs_check.settle import Sides, one, screen
from proofs_check.statements import Statement

NOTHING, UNMET = -3.0, -4.0  # no side worth a comparison; assumptions not met
BLURRED = 2.0**-6  # sides whose enclosures are wider than this part of them are not compared
TIED = 1e-9  # relative distance below which a second kind of climber looks elsewhere


@dataclass(frozen=True)
class Measured:
    """Of ``B`` instances.

    ``margin``: the largest ``(measured - bound) / max(|measured|, |bound|)`` over the entries, at the midpoints; for
    ``0 <= measured <= bound`` it is the ratio less one, and it has a meaning for every sign. For an identity: the least
    relative difference that the enclosures allow. ``apart``: the same without entries that are tied. ``ratio``: a lower
    bound on measured / bound, NaN where there is none (nowhere is one for ``quotient=False``). ``wrong``: separated the wrong
    way. ``slopes``: of a ``Scaling``, the lowest and the highest that were reached on the range or its halves (none:
    infinities).

    Of a witness that is wanted, the margin is the least over the entries of what is measured the other way round (of an
    equality: minus the difference), and ``wrong`` says that the enclosures leave it possible.
    """

    margin: np.ndarray
    apart: np.ndarray
    ratio: np.ndarray
    wrong: np.ndarray
    screened: dict[int, Sides]
    slopes: tuple[float, float] = (np.inf, -np.inf)


def measure(said: Statement, batch: Any, payloads: Mapping[str, Payload]) -> Measured:
    """Screen a batch; instances that do not meet the assumptions count for nothing."""
    met = np.flatnonzero(assumptions_met(said.claim, batch, batch.B))
    margin, apart = np.full(batch.B, UNMET), np.full(batch.B, UNMET)
    ratio, wrong = np.full(batch.B, np.nan), np.zeros(batch.B, dtype=bool)
    screened: dict[int, Sides] = {}
    slopes = (np.inf, -np.inf)
    if met.size:
        if met.size < batch.B:
            batch, payloads = batch[met], {name: p.take(met) for name, p in payloads.items()}
        s = screen(said.claim, batch, payloads)
        margin[met], apart[met] = _wanted(s) if said.wanted else _margins(s)
        wrong[met] = said.possible(s) if said.wanted else s.wrong & said.refutable
        if (said.quotient or not said.refutable) and not s.identity:
            ratio[met] = s.ratio
        if said.of is not None:
            low, high = screen(said.of, batch, payloads).numbers["slopes"]
            slopes = float(high[..., :3].min()), float(low[..., :3].max())  # of enclosures, the inner ends
        screened = {int(met[j]): one(s, int(j)) for j in np.flatnonzero(wrong[met])}
    return Measured(margin, apart, ratio, wrong, screened, slopes)


def _margins(s: Sides) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        left, right = (pair[0] / 2 + pair[1] / 2 for pair in (s.left, s.right))
        error = s.left[1] / 2 - s.left[0] / 2 + s.right[1] / 2 - s.right[0] / 2
        scale = np.maximum(np.abs(left), np.abs(right))
        sharp = np.isfinite(scale) & (scale > 0) & (error <= BLURRED * scale)
        distance = np.maximum(np.abs(left - right) - error, 0.0) if s.identity else left - right
        m = np.where(sharp, distance / np.where(sharp, scale, 1.0), NOTHING)
    away = m if s.identity else np.where(np.abs(m) < TIED, NOTHING, m)
    return m.max(axis=-1), away.max(axis=-1)


def _wanted(s: Sides) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        left, right = (pair[0] / 2 + pair[1] / 2 for pair in (s.left, s.right))
        scale = np.maximum(np.abs(left), np.abs(right))
        far = -np.abs(right - left) if s.identity else right - left
        m = np.where(np.isfinite(scale), far / np.where(scale > 0, scale, 1.0), NOTHING).min(axis=-1)
    return m, m
