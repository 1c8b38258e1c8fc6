"""Claims as tests: one test of pytest for each claim and each of its false variants.

::

    # test_my_claims.py
    from proofs_check.testing import claims_as_tests

    test_claims = claims_as_tests("my_claims.py")
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from proofs_check.claim import Claim
from proofs_check.loading import claims_of, load_file
from proofs_check.settle import EngineFault
from proofs_check.user_errors import command, explain
from proofs_check.verdict import Verdict

GOOD = ("holds", "tight")


def claims_as_tests(
    source: str | Path | ModuleType | Sequence[Claim],
    *,
    budget: str = "quick",
    seed: int = 0,
    expect: Mapping[str, str | Sequence[str]] | None = None,
    twins: bool = True,
) -> Callable[..., None]:
    """A test function, parametrised by claim id: it fails where a claim does not come out as it should.

    Parameters
    ----------
    source : a file of claims (relative to the caller's), a module or its dotted name, or the claims themselves.
    budget : "quick" (200 instances, seconds), "default" or "thorough".
    seed : root seed of the instances; the same seed draws the same instances for ever.
    expect : verdicts by claim id where "holds" or "tight" is not what one wants, e.g. ``{"mine.C2": "refuted"}``.
    twins : test besides that the false variants are refuted.

    Raises ValueError for an unknown budget, for a claim id in ``expect`` that is not there, and where there is no claim.
    """
    import pytest

    from proofs_check.runner import BUDGETS, TEETH, verify

    if budget not in BUDGETS:
        raise ValueError(f"budget is {budget!r}: expected one of {', '.join(BUDGETS)}")
    claims = _claims(source, inspect.stack()[1].filename)
    if not claims:
        raise ValueError(f"{source} defines no claim: decorate a function with proofs_check.claim")
    wanted: dict[str, tuple[str, ...]] = {c.id: GOOD for c in claims}
    for claim_id, verdict in (expect or {}).items():
        if claim_id not in wanted:
            raise ValueError(f"expect names {claim_id!r}, and the claims are {', '.join(wanted)}")
        wanted[claim_id] = (verdict,) if isinstance(verdict, str) else tuple(verdict)
    every = [c for one in claims for c in (one, *(one.twins if twins else ()))]

    @pytest.mark.parametrize("claim", every, ids=[c.id for c in every])
    def test_claim(claim: Claim) -> None:
        good = wanted[claim.id] if claim.of is None else ("refuted",)
        try:
            found = verify(claim, BUDGETS[budget] if claim.of is None else TEETH, seed, hunt=claim.of is not None)
        except EngineFault as error:
            pytest.fail(f"{claim.id}: the engine is at fault: {error}", pytrace=False)
        except Exception as error:  # a body may raise anything: its author gets the line
            pytest.fail(f"{claim.id} raised {explain(claim, error, seed)}", pytrace=False)
        if found.verdict not in good:
            pytest.fail(failure(claim, found, good, seed), pytrace=False)

    return test_claim


def failure(claim: Claim, found: Verdict, good: Sequence[str], seed: int = 0) -> str:
    """Why a test fails: the statement, the verdict with what it rests on, and the instance that says most, in exact numbers."""
    lines = [
        f"{claim.id} came out {found.verdict}, not {' or '.join(good)}{': ' + found.reason if found.reason else ''}",
        f"  {claim.title}",
        f"  {claim.file}:{claim.body.__code__.co_firstlineno}",
        f"  {found.rests_on}",
    ]
    counterexample, address = found.tally.counterexample, found.ratio_at
    if counterexample is not None:
        lines.append(f"  the smallest counterexample, {counterexample['address']}:")
        lines += [f"    {line}" for line in _instance(counterexample)]
        address = str(counterexample["address"])
    elif address and found.ratio is not None:
        lines.append(f"  the tightest instance, {address}, has ratio {found.ratio:.6g}")
    elif found.gap is not None:
        address = found.gap_at
        lines.append(f"  the tightest instance, {address}, has a gap of {found.gap:.6g}")
    address = address or found.tally.open_at
    if address:
        lines.append(f"  again: {command(claim, address, seed)}")
    return "\n".join(lines)


def _instance(counterexample: Mapping[str, Any]) -> list[str]:
    from proofs_check.counterexample import describe, replay

    return describe(*replay(counterexample))


def _claims(source: str | Path | ModuleType | Sequence[Claim], caller: str) -> list[Claim]:
    if isinstance(source, ModuleType):
        return claims_of(source)
    if isinstance(source, (str, Path)):
        if str(source).endswith(".py"):
            return load_file(Path(caller).parent / source)
        return claims_of(importlib.import_module(str(source)))
    claims = list(source)
    if stray := [x for x in claims if not isinstance(x, Claim)]:
        raise TypeError(f"{stray[0]!r} is no claim")
    return claims
