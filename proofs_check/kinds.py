"""Evidence that is neither an inequality nor an identity: what is kept of a chunk, and how an instance is settled.

``views.view`` evaluates a body's evidence on a batch; ``record`` puts what a chunk shows into its tally, as data that merge by
concatenation; ``weighing`` makes a verdict of them. Where a sign decides (``Scaling``, ``Order``, ``Witness``) an instance that
the enclosures leave open is settled in rationals or balls of rising precision, and so is every refutation and every witness.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.views import BAD, GOOD, NEITHER, OPEN, View, view

if TYPE_CHECKING:
    from proofs_check.addresses import Chunk
    from proofs_check.claim import Claim
    from proofs_check.verdict import Tally

LADDER = (64, 128, 256)  # bits of the balls that settle; an Order whose halves still overlap has not grown
CONFIRMED = 20  # refutations settled in each chunk: enough for the count to say many
WITNESSES = 4  # the same of witnesses


def record(chunk: Chunk, counted: np.ndarray, found: View, tally: Tally, *, hunt: bool = False) -> None:
    """Add what a chunk shows; ``counted`` are the places of the view's instances in it. ``hunt``: up to the first refutation.

    Averages are over the claim's families: a fixed model is no part of them, and does not count.
    """
    tally.kind = found.kind
    if found.status is None and chunk.model is not None:
        tally.drawn, tally.met = tally.drawn - chunk.batch.B, tally.met - counted.size
        return
    sample = {"at": chunk.label} | found.plain | found.outcomes
    if found.status is not None:
        sample |= _decide(chunk, counted, found, found.status, tally, hunt)
    elif found.kind == "Trial" and 1 in found.outcomes["failed"]:
        sample["first"] = chunk.address(int(counted[found.outcomes["failed"].index(1)]))
    tally.samples.append(sample)


def _decide(
    chunk: Chunk, counted: np.ndarray, found: View, status: np.ndarray, tally: Tally, hunt: bool
) -> dict[str, Any]:
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
            if hunt:
                break
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


def _finite(x: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in x]
