"""Instances on disk: exact numbers as text, so that a counterexample is the same wherever it is replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from proofs_check.draws import Payload
from tabular.mdp import MDP


def record(mdp: MDP, payloads: Mapping[str, Payload], address: str) -> dict[str, Any]:
    """An instance as JSON-able data."""
    return {"address": address, "mdp": _model(mdp), "draws": {name: _payload(p) for name, p in payloads.items()}}


def replay(data: Mapping[str, Any]) -> tuple[MDP, dict[str, Payload]]:
    """The instance of a record."""
    return _mdp(data["mdp"]), {name: _drawn(x) for name, x in data["draws"].items()}


def save(path: Path, claim_id: str, statement: str, data: Mapping[str, Any]) -> None:
    """Write a record with the claim that it belongs to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"claim": claim_id, "statement": statement} | dict(data), indent=1) + "\n", encoding="utf-8"
    )


def describe(mdp: MDP, payloads: Mapping[str, Payload]) -> list[str]:
    """An instance in lines of exact numbers, for people."""
    exact = mdp.exact()
    lines = [f"S={mdp.S}, A={mdp.A}, gamma={exact.gamma}"]
    for s in range(mdp.S):
        for a in range(mdp.A):
            if mdp.mask[s, a]:
                row = ", ".join(f"{t}: {p}" for t, p in exact.row(s, a).items())
                end = f", end: {exact.end(s, a)}" if exact.end(s, a) else ""
                lines.append(f"P[{s}, {a}] = {{{row}{end}}}   R[{s}, {a}] = {exact.R[s * mdp.A + a]}")
    for name, p in payloads.items():
        if p.form == "model":
            lines.append(f"{name}:")
            lines += [f"  {line}" for line in describe(p.data, {})]
        else:
            note = " (weights; each row over its sum)" if p.form == "distribution" else ""
            lines.append(f"{name} = {np.asarray(p.data).tolist()}{note}")
    return lines


def _model(mdp: MDP) -> dict[str, Any]:
    e = mdp.exact()
    rows = [[[t, str(e.row(s, a)[t])] for t in e.row(s, a)] for s in range(e.S) for a in range(e.A)]
    return {
        "S": e.S,
        "A": e.A,
        "gamma": str(e.gamma),
        "mask": e.mask.tolist(),
        "P": rows,
        "end": [str(e.end(s, a)) for s in range(e.S) for a in range(e.A)],
        "R": [str(x) for x in e.R],
        "rho": None if e.rho is None else [str(x) for x in e.rho],
    }


def _mdp(data: Mapping[str, Any]) -> MDP:
    S, A = data["S"], data["A"]
    mask = np.array(data["mask"], dtype=bool)
    P = np.full((S * A, S), Fraction(0), dtype=object)
    for i, row in enumerate(data["P"]):
        for t, p in row:
            P[i, t] = Fraction(p)
    R = np.array([Fraction(x) for x in data["R"]], dtype=object).reshape(S, A)
    end = np.array([Fraction(x) for x in data["end"]], dtype=object).reshape(S, A)
    floats = R.astype(np.float64)
    rewards: Any = np.where(mask, floats, -np.inf)
    if any(Fraction(x) != y for x, y in zip(floats.ravel().tolist(), R.ravel().tolist(), strict=True)):
        rewards = np.where(mask, R, -np.inf)
    rho = None if data["rho"] is None else np.array([Fraction(x) for x in data["rho"]], dtype=object)
    return MDP(P.reshape(S, A, S), rewards, Fraction(data["gamma"]), end=end, rho=rho)


def _payload(p: Payload) -> dict[str, Any]:
    if p.form == "model":
        return {"form": "model", "mdp": _model(p.data)}
    data = np.asarray(p.data)
    return {
        "form": p.form,
        "ndim": p.ndim,
        "shape": list(data.shape),
        "data": [str(Fraction(x)) for x in data.ravel().tolist()],
    }


def _drawn(x: Mapping[str, Any]) -> Payload:
    if x["form"] == "model":
        return Payload("model", _mdp(x["mdp"]))
    kind = np.int64 if x["form"] == "distribution" else np.float64
    data = np.array([kind(Fraction(y)) for y in x["data"]], dtype=kind).reshape(x["shape"])
    return Payload(x["form"], data, x["ndim"])
