"""Where the attack begins: the best of the claim's own instances, and of structured ones of the same shape.

Structured: two-armed chains, self-loops, hidden paths, certainty, blocks that hardly mix, rewards that tie or vanish, with
discounts up to 1 - 2^-30, each with the claim's own draws, half of which are degenerate (shifts, spikes, one-hot policies).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs_check import families
from proofs_check.adversary.coordinates import Space
from proofs_check.adversary.measure import NOTHING, Measured, measure
from proofs_check.claim import Claim
from proofs_check.domains import Features, domains, model_features, sampled
from proofs_check.runner import BUDGETS, Budget, chunks
from proofs_check.statements import Statement
from tabular.batch import MDPBatch

EACH = 128  # instances of each structured family
KEPT = 4  # starts kept of each source

Observe = Callable[[Sequence[str], Any, Any, Measured], None]  # labels, batch, payloads, what was measured


@dataclass(frozen=True)
class Start:
    """Coordinates to climb from, how far they have come, and where they are from."""

    x: np.ndarray
    margin: float
    source: str


def spaces(claim: Claim) -> list[Space]:
    """One for each shape of the claim's families, smallest first."""
    seen: dict[tuple[int, int], Space] = {}
    found = model_features(claim)
    for f, family in enumerate(claim.family):
        shape = family(0, 1)
        seen.setdefault((shape.S, shape.A), Space(shape.S, shape.A, found, domains(claim, f)))
    return [seen[key] for key in sorted(seen, key=lambda k: (k[0] * k[1], k))]


def gather(said: Statement, found: list[Space], seed: int, observe: Observe) -> dict[tuple[int, int], list[Start]]:
    """Starts of each space, best first; ``observe`` sees everything that was measured."""
    claim = said.claim
    out: dict[tuple[int, int], list[Start]] = {(s.S, s.A): [] for s in found}
    by_shape = {(s.S, s.A): s for s in found}

    def add(source: str, batch: Any, payloads: Any) -> None:
        m = measure(said, batch, payloads)
        observe([source] * batch.B, batch, payloads, m)
        space = by_shape[batch.S, batch.A]
        x = space.encode(batch, payloads)
        best = np.argsort(-m.margin, kind="stable")[:KEPT]
        out[batch.S, batch.A] += [
            Start(x[i], float(m.margin[i]), source) for i in best if m.margin[i] > NOTHING and np.isfinite(x[i]).all()
        ]

    plain = Budget("random", BUDGETS["default"].instances, 0, 0, 0)
    for chunk in chunks(claim, plain, seed):
        if chunk.model is None:
            add("random", chunk.batch, chunk.payloads)
    for space in found:
        for source, batch in structured(space.S, space.A, space.features, seed):
            add(source, batch, sampled(claim, batch, lambda _, b=batch: b, seed))
    for starts in out.values():
        starts.sort(key=lambda s: -s.margin)
    return out


def structured(S: int, A: int, f: Features, seed: int) -> Iterator[tuple[str, MDPBatch]]:
    """Extremal models of a shape, at discounts of the claim's range."""
    kinds: list[Any] = [families.self_loops(S, A), families.deterministic(S, A), families.garnet(S, A)]
    if S > 1:
        kinds += [families.hidden_path(S, A), families.near_decomposable(S, A)]
    if (S, A) == (2, 2):
        kinds.append(families.two_armed())
    for family in kinds:
        batch = family(seed, EACH)
        gamma = np.clip(batch.gamma, *f.gamma)
        for name, R in (
            ("", batch.rewards),
            (" with ties", np.rint(batch.rewards)),
            (" without reward", 0 * batch.rewards),
        ):
            yield f"{family.name}{name}", MDPBatch.from_weights(batch.weights, R, gamma)
