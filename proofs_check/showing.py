"""``proofs-check show``: one claim, and an instance of it in exact numbers."""

from __future__ import annotations

import argparse
from typing import Any

from proofs_check import counterexample, kinds, selection, tables
from proofs_check.addresses import instance
from proofs_check.claim import Claim
from proofs_check.cli import OK, REFUTED
from proofs_check.runner import BUDGETS, verify
from proofs_check.settle import Settler
from proofs_check.user_errors import reported, show_command
from proofs_check.views import BAD


def show(options: argparse.Namespace) -> int:
    """``proofs-check show``: one claim and an instance of it."""
    data = None
    if options.replay is not None:
        try:
            data = counterexample.load(options.replay)
        except counterexample.Damaged as error:
            raise selection.UsageError(str(error)) from None
    claim = _find(options)
    if data is not None:
        return _replay(claim, options, data)
    tables.claim(claim)
    address = options.instance
    if address is None:
        with reported(claim, options.seed, selection.UsageError):
            found = verify(claim, BUDGETS["quick"], options.seed)
        tables.verdict(found)
        smallest = found.tally.counterexample
        if smallest is not None and "steps" in smallest:
            tables.counterexample(smallest)
        address = smallest["address"] if smallest is not None else found.ratio_at or found.gap_at
        address = address or found.evidence.get("witness", {}).get("address", "")
    if address:
        try:
            mdp, payloads = instance(claim, address, options.seed)
        except ValueError as error:
            raise selection.UsageError(str(error)) from None
        _show_instance(claim, options.seed, address, mdp, payloads)
        print("again:", show_command(claim.id, options.file, "--seed", options.seed, "--instance", address))
    return OK


def _replay(claim: Claim, options: argparse.Namespace, data: dict[str, Any]) -> int:
    """A saved counterexample evaluated again."""
    if data["claim"] != claim.id:
        raise selection.UsageError(f"{options.replay} is a counterexample of {data['claim']}, not of {claim.id}")
    mdp, payloads = counterexample.replay(data)
    if payloads.keys() != claim.draws.keys():
        here, there = (", ".join(names) or "nothing" for names in (claim.draws, payloads))
        raise selection.UsageError(f"{options.replay} has drawn {there}, and {claim.id} draws {here} now")
    tables.claim(claim)
    return _show_instance(claim, options.seed, f"counterexample of {options.replay}", mdp, payloads)


def _show_instance(claim: Claim, seed: int, name: str, mdp: Any, payloads: Any) -> int:
    """Print an instance and what it says; REFUTED where it refutes. UsageError where it does not meet the assumptions."""
    with reported(claim, seed, selection.UsageError):
        if unmet := [a.name for a in claim.assumptions if not a.met(mdp, 1)[0]]:
            tables.model(name, mdp, payloads)
            raise selection.Unmet(f"{name} does not meet: {'; '.join(unmet)}. It says nothing about {claim.id}")
        weighed = kinds.look(claim, mdp, payloads)
        if weighed is not None:
            tables.view(name, mdp, payloads, *weighed)
            return REFUTED if weighed[1].status is not None and weighed[1].status[0] == BAD else OK
        settled = Settler(claim)(mdp, payloads)
        tables.instance(name, mdp, payloads, settled)
        return REFUTED if settled.status == "refuted" else OK


def _find(options: argparse.Namespace) -> Claim:
    """A claim or twin by id, or by ``FILE::id``, which sets ``options.file``."""
    if "::" in options.claim:
        options.file, _, options.claim = options.claim.partition("::")
    claim_id, file = options.claim, options.file
    base, _, _ = claim_id.partition(".twin")
    jobs = [j for j in selection.jobs([file or base], BUDGETS["quick"], options.seed) if j.id == base]
    if jobs:
        found = jobs[0].load()
        for each in (found, *found.twins):
            if each.id == claim_id:
                return each
    raise selection.UsageError(f"no claim {claim_id!r}{f' in {file}' if file else ''}")
