"""Verdicts as they are known: the registry records one for each checked claim, and a run that differs has drifted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from proofs_check import registry

_TRUE = ("holds", "tight")


def load() -> dict[str, str]:
    """Claim ids and expected verdicts."""
    return {e.id: e.verdict for p in registry.load() for e in p.claims if e.verdict is not None}


def drift(claim_id: str, got: str, expected: Mapping[str, str], *, same_run: bool) -> str:
    """What is wrong with a verdict, in words; empty where nothing is.

    ``same_run``: the default budget at seed 0, for which verdicts are recorded. At another, ``holds`` and ``tight``
    are not told apart, since whether a bound is attained depends on the instances.
    """
    if claim_id not in expected:
        return ""
    want = expected[claim_id]
    if got == want or (not same_run and got in _TRUE and want in _TRUE):
        return ""
    return f"expected {want}"


def record(verdicts: Mapping[str, str], folder: Path) -> list[str]:
    """Write verdicts into the registry's files in ``folder``; the ids whose verdict changed.

    Only lines ``verdict = ...`` of claims that are there are rewritten.
    """
    changed = []
    for claim_id, verdict in verdicts.items():
        file = folder / f"{claim_id.partition('.')[0]}.toml"
        if not file.is_file():
            continue
        entry = re.compile(rf'(^id = "{re.escape(claim_id)}"$(?:\n(?!\[\[).*)*?\nverdict = )"(\w+)"', re.MULTILINE)
        text = file.read_text(encoding="utf-8")
        found = entry.search(text)
        if found is not None and found[2] != verdict:
            file.write_text(entry.sub(rf'\g<1>"{verdict}"', text, count=1), encoding="utf-8")
            changed.append(claim_id)
    return changed
