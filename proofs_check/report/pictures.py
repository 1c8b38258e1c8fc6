"""The instances that a page shows: the tightest, the counterexample, the witness, and what an attack reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from proofs_check import addresses, counterexample
from proofs_check.claim import Claim
from proofs_check.drawing import LARGEST, number
from proofs_check.report import graph, wording
from proofs_check.report.results import CURRENT, Found
from proofs_check.selection import UsageError
from tabular.errors import ModelError


@dataclass(frozen=True)
class Picture:
    """An instance: what it is, its address, a drawing where it is small enough, and the same in words."""

    title: str
    address: str
    svg: Markup | None
    words: tuple[str, ...]
    note: str = ""
    gamma: str = ""


@dataclass(frozen=True)
class Attacked:
    """What an attack came to: κ, where there is one, the number of evaluations, and where the instance came from."""

    status: str
    ratio: float | None
    evaluations: int
    said: str
    instance: Mapping[str, Any] | None

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Attacked:
        """Of an entry of ``attack --json``. Raises ValueError, TypeError or AttributeError for what is none."""
        ratio = data.get("ratio")
        instance = data.get("instance")
        if instance is not None and not isinstance(instance, Mapping):
            raise TypeError(f"an instance is {instance!r}")
        said = str(data.get("source") or data.get("reason") or "")
        return cls(
            str(data.get("status", "")),
            None if ratio is None else float(ratio),
            int(data.get("evaluations", 0)),
            said,
            instance,
        )


@dataclass(frozen=True)
class Extras:
    """What other commands wrote: attacks by claim, and counterexamples that were made smaller."""

    attacks: Mapping[str, Attacked]
    smaller: Mapping[str, Mapping[str, Any]]


def extras(attacks: Path | None, results: Path | None) -> Extras:
    """Read both. Raises UsageError that names the file and what is wrong with it."""
    found: dict[str, Attacked] = {}
    if attacks is not None:
        try:
            data = json.loads(attacks.read_text(encoding="utf-8"))
            found = {str(a["id"]): Attacked.of_data(a) for a in data["attacks"]}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"--attacks {attacks} is not what attack --json prints: {type(error).__name__}: {error}"
            ) from None
    smaller = {}
    if results is not None:
        folder = results / "counterexamples"
        if not folder.is_dir():
            raise UsageError(f"--results {results} has no folder counterexamples: verify --out writes one")
        for file in sorted(folder.glob("*.json")):
            try:
                record = counterexample.load(file)
            except counterexample.Damaged as error:
                raise UsageError(f"--results: {error}") from None
            smaller[str(record["claim"])] = record
    return Extras(found, smaller)


def pictures(claim: Claim, found: Found, more: Extras) -> list[Picture]:
    """The instances of a claim's page, the most telling first. Raises UsageError where one of ``more`` is damaged."""
    out = []
    v = found.verdict
    smaller = more.smaller.get(claim.id)
    if smaller is not None and v is not None and v.verdict == "refuted":
        out.append(_recorded("Counterexample, made smaller", smaller, "smaller"))
    elif v is not None and v.tally.counterexample is not None:
        drawn = _recorded("Smallest counterexample among those drawn", v.tally.counterexample, "counterexample")
        out.append(replace(drawn, note="proofs-check show makes it smaller"))
    elif v is not None and "witness" in v.evidence:
        out.append(_recorded("Witness", v.evidence["witness"], "witness"))
    elif v is not None and (address := v.ratio_at or v.gap_at):
        out.append(_drawn(claim, wording.pictured(v), address, found))
    attack = more.attacks.get(claim.id)
    if attack is not None and attack.instance is not None:
        out.append(_recorded("Extremal instance of the attack (selected, simplified)", attack.instance, "attack"))
    return out


def _recorded(title: str, data: Mapping[str, Any], name: str) -> Picture:
    try:
        mdp, payloads = counterexample.replay(data)
    except (ModelError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UsageError(
            f"{title} at {data.get('address', '?')!r} holds no instance: {type(error).__name__}: {error}"
        ) from None
    return _picture(title, str(data.get("address", "")), mdp, payloads, name)


def _drawn(claim: Claim, title: str, address: str, found: Found) -> Picture:
    if found.state != CURRENT:
        return Picture(title, address, None, (), "what this address names may have changed since: it is not drawn")
    try:
        mdp, payloads = addresses.instance(claim, address, found.seed)
    except ValueError as error:
        return Picture(title, address, None, (), str(error))
    return _picture(title, address, mdp, payloads, "tightest")


def _picture(title: str, address: str, mdp: Any, payloads: Mapping[str, Any], name: str) -> Picture:
    shown = {k: p for k, p in payloads.items() if p.form != "streams"}
    notes = [f"{k}: the random numbers of this address" for k, p in payloads.items() if p.form == "streams"]
    small = graph.drawable(mdp)
    if mdp.S * mdp.A > LARGEST and not small:
        size = f"{mdp.S} states, {mdp.A} actions, gamma = {number(mdp.exact().gamma)}: too large to draw"
        return Picture(title, address, None, (size, *notes))
    words = (*graph.words(mdp, shown), *notes)
    drawn = Markup(graph.svg(mdp, name)) if small else None
    return Picture(title, address, drawn, words, gamma=number(mdp.exact().gamma))
