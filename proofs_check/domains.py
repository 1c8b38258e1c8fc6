"""What a claim's families and draws allow, learnt from samples of them, so that attack and shrinking stay inside.

A draw does not say its range. A sample of ``PROBES`` does: whether numbers are integers, not negative, bounded; whether
rows are one-hot or positive throughout; which shape there is. Ranges of scalars are those of the sample (``scalars`` and
``integers`` draw their bounds often); arrays of reward units (``values``, ``q_values``) are free but for their sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs_check.claim import Claim
from proofs_check.draws import Integers, Payload, Place

PROBES = 400
FREE = ("values", "q_values")  # draws whose arrays have no bounds but their sign
LOGARITHMIC = 256.0  # positive scalars over a wider ratio than this are searched on a log scale


@dataclass(frozen=True)
class Domain:
    """What one draw takes: ``form`` and event axes as in ``Payload``; ``axes`` names each axis "S", "A" or its length.

    ``low``, ``high`` bound the entries (infinite where free). ``one_hot``, ``interior`` are about distributions.
    """

    form: str
    axes: tuple[str | int, ...] = ()
    low: float = -np.inf
    high: float = np.inf
    integer: bool = False
    one_hot: bool = False
    interior: bool = False
    other: Features | None = None  # of a second model

    @property
    def logarithmic(self) -> bool:
        """Whether a scalar is searched on a log scale."""
        return not self.integer and 0 < self.low and self.high / self.low > LOGARITHMIC

    def shape(self, S: int, A: int) -> tuple[int, ...]:
        """Event shape in a model with ``S`` states and ``A`` actions."""
        sizes = {"S": S, "A": A}
        return tuple(sizes[x] if isinstance(x, str) else x for x in self.axes)

    def admits(self, data: Any, mask: np.ndarray) -> bool:
        """Whether drawn data (float array, or integer weights) might have been drawn."""
        x = np.asarray(data)
        allowed = self._mask(mask)
        if self.form == "distribution":
            if (x < 0).any() or (x.sum(axis=-1) <= 0).any() or (x[~np.broadcast_to(allowed, x.shape)] != 0).any():
                return False
            if self.interior and (x[np.broadcast_to(allowed, x.shape)] == 0).any():
                return False
            return not self.one_hot or bool(((x > 0).sum(axis=-1) == 1).all())
        if self.integer and (x != np.rint(x)).any():
            return False
        return bool(((x >= self.low) & (x <= self.high)).all())

    def _mask(self, mask: np.ndarray) -> np.ndarray:
        """Allowed entries of one instance's data: those of the mask for (S, A), all others."""
        return mask if self.axes == ("S", "A") else np.True_  # type: ignore[return-value]


@dataclass(frozen=True)
class Features:
    """What models of some families have: endings, masks, a range of discounts."""

    endings: bool
    masks: bool
    gamma: tuple[float, float]


def features(batches: list[Any]) -> Features:
    """Of batches of sampled models."""
    return Features(
        endings=any(bool((b.end > 0).any()) for b in batches),
        masks=any(not bool(b.mask.all()) for b in batches),
        gamma=(min(float(b.gamma.min()) for b in batches), max(float(b.gamma.max()) for b in batches)),
    )


def model_features(claim: Claim, seed: int = 0) -> Features:
    """Of all of a claim's families: the attack moves among all models with these features, whatever their family."""
    return features([family(seed, PROBES) for family in claim.family])


def sampled(claim: Claim, batch: Any, remake: Any, seed: int) -> dict[str, Payload]:
    """The claim's draws on any batch of models."""
    drawn: dict[str, Payload] = {}
    for i, (name, draw) in enumerate(claim.draws.items()):
        drawn[name] = draw.sample(Integers(seed, i), Place(batch, remake, drawn))
    return drawn


def domains(claim: Claim, f: int = 0, seed: int = 0) -> dict[str, Domain]:
    """Of each draw of a claim, from a sample on its family ``f``."""
    family = claim.family[f]
    batch = family(seed, PROBES)
    drawn = sampled(claim, batch, lambda salt: family(salt, PROBES), seed)
    return {name: _domain(claim.draws[name].name, p, batch) for name, p in drawn.items()}


def _domain(name: str, p: Payload, batch: Any) -> Domain:
    if p.form == "model":
        return Domain("model", other=features([p.data]))
    data = np.asarray(p.data)
    axes = _axes(data.shape[1:], batch.S, batch.A)
    if p.form == "distribution":
        allowed = batch.mask if axes == ("S", "A") else np.ones(data.shape, dtype=bool)
        hot = bool(((data > 0).sum(axis=-1) == 1).all()) and data.shape[-1] > 1
        return Domain("distribution", axes, one_hot=hot, interior=bool((data[allowed] > 0).all()))
    low, high = float(data.min()), float(data.max())
    if name in FREE:
        return Domain("array", axes, low=0.0 if low >= 0 else -np.inf)
    return Domain("array", axes, low, high, integer=bool((data == np.rint(data)).all()))


def _axes(shape: tuple[int, ...], S: int, A: int) -> tuple[str | int, ...]:
    """Names of axes. One axis of length S == A is taken for states, as all draws of this package have it."""
    if shape == (S, A):
        return ("S", "A")
    if shape == (S,):
        return ("S",)
    return ("A",) if shape == (A,) and A != S else shape


def assumptions_met(claim: Claim, model: Any, count: int) -> np.ndarray:
    """(count,) whether models meet every assumption."""
    met = np.ones(count, dtype=bool)
    for assumption in claim.assumptions:
        met &= assumption.met(model, count)
    return met


def admitted(claim: Claim, found: Mapping[str, Domain], mdp: Any, payloads: Mapping[str, Payload]) -> bool:
    """Whether one instance is of the claim's kind: assumptions met, and every draw inside its domain."""
    if not assumptions_met(claim, mdp, 1)[0]:
        return False
    return all(p.form == "model" or found[name].admits(p.data, mdp.mask) for name, p in payloads.items())
