"""Instances on disk: exact numbers as text, so that a counterexample is the same wherever it is replayed.

A file carries a digest of its numbers. What was damaged, edited or written by something else is refused, with the place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from proofs_check.draws import Payload
from tabular.errors import ModelError
from tabular.mdp import MDP

FORMS = {"array": np.float64, "distribution": np.int64}


class Damaged(ValueError):
    """A file of a counterexample that is not what was written; the message says what is wrong with it."""


def record(mdp: MDP, payloads: Mapping[str, Payload], address: str) -> dict[str, Any]:
    """An instance as JSON-able data."""
    return {"address": address, "mdp": _model(mdp), "draws": {name: _payload(p) for name, p in payloads.items()}}


def replay(data: Mapping[str, Any]) -> tuple[MDP, dict[str, Payload]]:
    """The instance of a record."""
    return _mdp(data["mdp"]), {name: _drawn(x) for name, x in data["draws"].items()}


def digest(data: Mapping[str, Any]) -> str:
    """Of an instance's numbers, whatever else its record says."""
    text = json.dumps({"mdp": data["mdp"], "draws": data["draws"]}, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def save(path: Path, claim_id: str, statement: str, data: Mapping[str, Any]) -> None:
    """Write a record with the claim that it belongs to and its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    out = {"claim": claim_id, "statement": statement} | dict(data) | {"digest": digest(data)}
    path.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict[str, Any]:
    """A file's record, checked: its digest, its shapes, its rows. Raises Damaged naming the file and what is wrong."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"{path} cannot be read as a counterexample: {error}") from None
    if not isinstance(data, dict) or (missing := [k for k in ("claim", "mdp", "draws", "digest") if k not in data]):
        lacks = f": it has no {missing[0]!r}" if isinstance(data, dict) else ""
        raise Damaged(f"{path} is no counterexample of this program{lacks}")
    if digest(data) != data["digest"]:
        raise Damaged(f"{path} was changed: its numbers have digest {digest(data)}, and it says {data['digest']}")
    try:
        replay(data)
    except (ModelError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Damaged(f"{path} holds no instance: {type(error).__name__}: {error}") from None
    return data


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
    kind = FORMS[x["form"]]
    exact = [Fraction(y) for y in x["data"]]
    data = np.array([float(y) for y in exact]).astype(kind) if kind is np.float64 else np.array(list(map(int, exact)))
    if any(Fraction(got) != y for got, y in zip(data.tolist(), exact, strict=True)):
        raise ValueError(f"{next(y for y in x['data'])} ... are no numbers that {x['form']} holds exactly")
    return Payload(x["form"], data.reshape(x["shape"]), x["ndim"])
