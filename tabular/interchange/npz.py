"""Models in ``.npz`` files: ``save(path, model)`` and ``load(path)``.

The file is an ordinary ``.npz`` without pickles: a JSON header (format, version, sizes, discount as an exact
fraction, labels), the float arrays, and where the model is exact its integers and fractions as JSON. What
comes back equals what went in: content hash, labels, name, storage and exactness. ``load`` treats the file as
hostile, see ``tabular.interchange._archive``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular.batch import MDPBatch
from tabular.errors import FormatError
from tabular.exact_model import ExactModel
from tabular.finite_horizon import FiniteHorizonMDP, _restore, _terminal
from tabular.interchange._archive import LARGEST_BYTES, Archive, from_json, refuse, to_json, write
from tabular.interchange._text import LARGEST_UNIT
from tabular.mdp import CSR, MDP

FORMAT, VERSION = "tabular-model", 1

_F8, _I8, _I4, _B1, _U1 = (np.dtype(x) for x in ("<f8", "<i8", "<i4", "|b1", "|u1"))
_FRACTION = re.compile(r"(-?[0-9]{1,4300})(?:/([0-9]{1,4300}))?", re.ASCII)


def save(path: str | os.PathLike[str], model: MDP | FiniteHorizonMDP | MDPBatch) -> None:
    """Write a model; an existing file is replaced at once or left as it was.

    TypeError for anything else; FormatError for integers of more than 4300 digits; OSError from the file
    system.
    """
    border.expect(model, "save", "MDP", "FiniteHorizonMDP", "MDPBatch")
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "S": model.S,
        "A": model.A,
        "name": model.name,
    }
    arrays: dict[str, np.ndarray] = {}
    if isinstance(model, MDPBatch):
        header |= {
            "kind": "batch",
            "B": model.B,
            "rho": model.rho is not None,
            "weights": model.weights is not None,
        }
        header["gamma"] = _texts(model._gamma_exact)
        keys = ("weights", "end_weights") if model.weights is not None else ("P", "end")
        for key in (*keys, "gamma", *(("rho",) if model.rho is not None else ())):
            arrays[key] = getattr(model, key)
        arrays["R"] = model.R
    elif isinstance(model, FiniteHorizonMDP):
        stages = [_put(m, arrays, f"{j}.") for j, m in enumerate(model._distinct)]
        header |= {
            "kind": "finite_horizon",
            "index": list(model._index),
            "stages": stages,
            "rho": model.rho is not None,
        }
        header |= {"rho_exact": _texts(model._rho_exact), "terminal_exact": _texts(model._terminal_exact)}
        header |= {"gamma": _text(model.gamma_exact)} | _labels(model)
        arrays["terminal"] = model.terminal
        if model.rho is not None:
            arrays["rho"] = model.rho
    else:
        header |= {
            "kind": "mdp",
            "gamma": _text(model.gamma_exact),
            "stage": _put(model, arrays, ""),
        } | _labels(model)
    write(path, header, arrays)


def load(path: str | os.PathLike[str], *, max_bytes: int = LARGEST_BYTES) -> MDP | FiniteHorizonMDP | MDPBatch:
    """Read a model; its arrays may take ``max_bytes`` in all.

    FormatError for a file that is no such archive, with the member and what is wrong with it; ModelError for
    numbers that are no model; OSError from the file system.
    """
    border.count(max_bytes, "max_bytes")
    with open(path, "rb") as file:
        archive = Archive(file, max_bytes)
        header = archive.header()
        if header.get("format") != FORMAT:
            refuse(f"the header names the format {header.get('format')!r}: expected {FORMAT!r}")
        if type(header.get("version")) is not int or header["version"] != VERSION:
            refuse(f"version {header.get('version')!r} of the format is unknown: this release reads {VERSION}")
        readers: dict[str, Callable[..., MDP | FiniteHorizonMDP | MDPBatch]]
        readers = {"mdp": _load_mdp, "finite_horizon": _load_horizon, "batch": _load_batch}
        kind = header.get("kind")
        if not isinstance(kind, str) or kind not in readers:
            refuse(f"kind {kind!r} of model is unknown: expected one of {', '.join(readers)}")
        return readers[kind](archive, header)


def _labels(model: Any) -> dict[str, Any]:
    return {"state_labels": model.state_labels, "action_labels": model.action_labels}


def _texts(values: Any) -> list[str] | None:
    return None if values is None else [_text(x) for x in values]


def _text(x: Fraction) -> str:
    try:
        return str(x)
    except ValueError as error:  # beyond Python's limit of digits
        raise FormatError(f"a number is too long to write: {error}") from None


def _put(m: MDP, arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """The arrays of a model, and what the header says of them."""
    exact = m._exact
    has_weights = exact is not None and exact.weights is not None
    P = m.csr() if m.is_sparse or has_weights else m.P
    parts: dict[str, np.ndarray] = {"R": m.R}
    if isinstance(P, CSR):
        parts |= {"indptr": P.indptr, "indices": P.indices}
    if not has_weights:
        parts |= {"data": P.data} if isinstance(P, CSR) else {"P": P}
        parts["end"] = m.end
    if m.rho is not None:
        parts["rho"] = m.rho
    if exact is not None:
        numbers = {
            "weights": exact.weights and [list(x) for x in exact.weights],
            "R": _texts(exact.R),
            "rho": _texts(exact.rho),
        }
        parts["exact"] = to_json(numbers)
    arrays |= {prefix + key: x for key, x in parts.items()}
    return {
        "sparse": m.is_sparse, "nnz": len(P.data) if isinstance(P, CSR) else None, "rho": m.rho is not None,
        "exact": exact is not None, "weights": has_weights,
    }  # fmt: skip


def _wanted(info: dict[str, Any], S: int, A: int, prefix: str) -> dict[str, tuple[np.dtype, tuple[int, ...] | None]]:
    """Types and shapes of the arrays that the header announces."""
    flags = {key: _field(info, key, bool) for key in ("sparse", "rho", "exact", "weights")}
    out: dict[str, tuple[np.dtype, tuple[int, ...] | None]] = {"R": (_F8, (S, A))}
    if flags["weights"] and not flags["exact"]:
        refuse("the header announces weights of a model that is not exact")
    if flags["sparse"] or flags["weights"]:
        nnz = _size(info, "nnz", 0)
        out |= {"indptr": (_I8, (S * A + 1,)), "indices": (_I4, (nnz,))}
        if not flags["weights"]:
            out["data"] = (_F8, (nnz,))
    else:
        out["P"] = (_F8, (S, A, S))
    if not flags["weights"]:
        out["end"] = (_F8, (S, A))
    if flags["rho"]:
        out["rho"] = (_F8, (S,))
    if flags["exact"]:
        out["exact"] = (_U1, None)
    return {prefix + key: x for key, x in out.items()}


def _more(info: dict[str, Any], S: int, A: int) -> int:
    """Bytes of a model beyond its arrays: weights are integers and fractions of Python's, and become rows."""
    if not info["weights"]:
        return 0
    return 256 * S * A + (0 if info["sparse"] else 8 * S * S * A)


def _take(
    info: dict[str, Any],
    arrays: dict[str, np.ndarray],
    prefix: str,
    gamma: Fraction,
    sizes: tuple[int, int],
    **options: Any,
) -> MDP:
    """The model from its arrays, through the same validation as any other."""
    S, A = sizes
    get = {key[len(prefix) :]: x for key, x in arrays.items() if key.startswith(prefix)}
    R, rho = get["R"], get.get("rho")
    exact = from_json(get["exact"], f"{prefix}exact") if info["exact"] else {"weights": None, "R": None, "rho": None}
    if not isinstance(exact, dict) or set(exact) != {"weights", "R", "rho"}:
        refuse(f"{prefix}exact holds no weights, R and rho")
    R_exact = _fractions(exact["R"], S * A, f"{prefix}exact R")
    rho_exact = _fractions(exact["rho"], S, f"{prefix}exact rho", sums=True)
    if rho_exact is not None and rho is None:
        refuse(f"{prefix}exact has a start distribution, the header none")
    if info["weights"]:
        mask = check.check_rewards(R)
        w, e, t = _weights(exact["weights"], (info["nnz"], S * A, S * A), f"{prefix}exact weights")
        rewards = R_exact or [Fraction(x) for x in np.where(mask, R, 0.0).ravel().tolist()]
        m = MDP.from_exact(
            ExactModel(S, A, mask, get["indptr"], get["indices"], w, e, t, rewards, gamma, rho_exact),
            **options,
        )
        if rho is not None and rho_exact is None:
            m = m._with(rho=check.check_distribution(rho, S)[0])
        return m if info["sparse"] else m.to_dense()
    if exact["weights"] is not None:
        refuse(f"{prefix}exact has weights, the header announces none")
    if R_exact is not None:
        box = np.empty((S, A), dtype=object)
        box.ravel()[:] = [x if r > -np.inf else -np.inf for x, r in zip(R_exact, R.ravel().tolist(), strict=True)]
        R = box
    if rho_exact is not None:
        rho = np.array(rho_exact, dtype=object)
    P = CSR(get["indptr"], get["indices"], get["data"]) if info["sparse"] else get["P"]
    return MDP(P, R, gamma, end=get["end"], rho=rho, copy=False, **options)


def _load_mdp(archive: Archive, header: dict[str, Any]) -> MDP:
    S, A, name, gamma = _size(header, "S"), _size(header, "A"), _field(header, "name", str), _gamma(header)
    info = _field(header, "stage", dict)
    labels = {key: _names(header, key) for key in ("state_labels", "action_labels")}
    arrays = archive.expect(_wanted(info, S, A, ""), _more(info, S, A))
    return _take(info, arrays, "", gamma, (S, A), name=name, **labels)


def _load_horizon(archive: Archive, header: dict[str, Any]) -> FiniteHorizonMDP:
    S, A, name, gamma = _size(header, "S"), _size(header, "A"), _field(header, "name", str), _gamma(header)
    stages, index = _field(header, "stages", list), _field(header, "index", list)
    if not all(isinstance(x, dict) for x in stages) or not index:
        refuse("the header describes no stages")
    fresh = 0
    for h, j in enumerate(index):
        if type(j) is not int or not 0 <= j <= min(fresh, len(stages) - 1):
            refuse(f"index[{h}] of the header is {j!r}: stages are numbered in the order of their first use")
        fresh += j == fresh
    if fresh != len(stages):
        refuse(f"the header describes {len(stages)} stages and uses {fresh}")
    wanted: dict[str, tuple[np.dtype, tuple[int, ...] | None]] = {"terminal": (_F8, (S,))}
    if _field(header, "rho", bool):
        wanted["rho"] = (_F8, (S,))
    for j, info in enumerate(stages):
        wanted |= _wanted(info, S, A, f"{j}.")
    arrays = archive.expect(wanted, sum(_more(info, S, A) for info in stages))
    models = tuple(_take(info, arrays, f"{j}.", gamma, (S, A)) for j, info in enumerate(stages))
    rho_exact = _fractions(header.get("rho_exact"), S, "rho_exact", sums=True)
    rho = arrays.get("rho") if rho_exact is None else np.array(rho_exact, dtype=object)
    if rho is not None:
        rho, rho_exact = check.check_distribution(rho, S)
    terminal_exact = _fractions(header.get("terminal_exact"), S, "terminal_exact")
    given = arrays["terminal"] if terminal_exact is None else np.array(terminal_exact, dtype=object)
    terminal, terminal_exact = _terminal(given, S)
    sizes = {"state_labels": S, "action_labels": A}
    labels = {key: check.check_labels(_names(header, key), n, key) for key, n in sizes.items()}
    numbers = {"S": S, "A": A, "H": len(index), "gamma": float(gamma), "gamma_exact": gamma, "name": name}
    private = {"_distinct": models, "_index": tuple(index), "_rho_exact": rho_exact}
    return _restore(numbers | private | labels | {"rho": rho, "terminal": terminal, "_terminal_exact": terminal_exact})


def _load_batch(archive: Archive, header: dict[str, Any]) -> MDPBatch:
    B, S, A = (_size(header, key) for key in ("B", "S", "A"))
    name = _field(header, "name", str)
    rows = ("weights", "end_weights") if _field(header, "weights", bool) else ("P", "end")
    dtype = _I8 if rows[0] == "weights" else _F8
    wanted: dict[str, tuple[np.dtype, tuple[int, ...] | None]] = {
        rows[0]: (dtype, (B, S, A, S)),
        rows[1]: (dtype, (B, S, A)),
        "R": (_F8, (B, S, A)),
        "gamma": (_F8, (B,)),
    }
    if _field(header, "rho", bool):
        wanted["rho"] = (_F8, (B, S))
    arrays = archive.expect(wanted)
    exact = _fractions(header.get("gamma"), B, "gamma")
    gamma = arrays["gamma"] if exact is None else exact
    P, end, rho = arrays[rows[0]], arrays[rows[1]], arrays.get("rho")
    if rows[0] == "weights":
        return MDPBatch.from_weights(P, arrays["R"], gamma, end_weights=end, rho=rho, name=name)
    return MDPBatch(P, arrays["R"], gamma, end=end, rho=rho, name=name)


def _field(header: dict[str, Any], key: str, kind: type) -> Any:
    value = header.get(key)
    if not isinstance(value, kind):
        refuse(f"{key} of the header is {str(value)[:80]!r}: expected {kind.__name__}")
    return value


def _size(header: dict[str, Any], key: str, least: int = 1) -> int:
    value = header.get(key)
    if type(value) is not int or not least <= value < 2**48:
        refuse(f"{key} of the header is {str(value)[:80]!r}: expected an integer from {least}")
    return value


def _names(header: dict[str, Any], key: str) -> list[str] | None:
    value = header.get(key)
    if value is not None and (not isinstance(value, list) or not all(isinstance(x, str) for x in value)):
        refuse(f"{key} of the header are no names")
    return value


def _gamma(header: dict[str, Any]) -> Fraction:
    return check.check_gamma(_fraction(header.get("gamma"), "gamma"))[1]


def _fraction(text: Any, name: str) -> Fraction:
    """A fraction of at most 4300 digits; never an exponent, whose value could fill the memory."""
    match = _FRACTION.fullmatch(text) if isinstance(text, str) else None
    if match is None or (match[2] is not None and int(match[2]) == 0):
        refuse(f"{name} is {str(text)[:80]!r}: expected a fraction n/d")
    return Fraction(int(match[1]), int(match[2] or 1))


def _fractions(values: Any, n: int, name: str, sums: bool = False) -> list[Fraction] | None:
    """A list of ``n`` fractions; where they will be summed, their common denominator is bounded."""
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != n:
        refuse(f"{name} is no list of {n} fractions")
    out = [_fraction(x, f"{name}[{i}]") for i, x in enumerate(values)]
    if sums:
        unit = 1
        for x in out:
            unit = lcm(unit, x.denominator)
            if unit.bit_length() > LARGEST_UNIT:
                refuse(f"{name} has a common denominator of more than {LARGEST_UNIT} bits")
    return out


def _weights(values: Any, lengths: tuple[int, ...], name: str) -> list[list[int]]:
    if not isinstance(values, list) or len(values) != len(lengths):
        refuse(f"{name} are no lists of weights, end weights and totals")
    for part, n in zip(values, lengths, strict=True):
        if not isinstance(part, list) or len(part) != n or not all(type(x) is int for x in part):
            refuse(f"{name} are no lists of {', '.join(map(str, lengths))} integers")
    return values
