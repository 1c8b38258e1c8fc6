"""What a public function takes: a model of the right kind, flags, counts; one wording for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tabular import _validate as check

_HINTS = {
    ("MDP", "FiniteHorizonMDP"): "backward_induction solves it, and its stages are MDPs: stage(h)",
    ("MDP", "MDPBatch"): "its members are MDPs: batch[i]",
    ("FiniteHorizonMDP", "MDP"): "FiniteHorizonMDP(P, R, H=...) has stages",
    ("FiniteHorizonMDP", "MDPBatch"): "a batch has no stages",
    ("MDPBatch", "MDP"): "MDPBatch.stack makes a batch of MDPs",
    ("ExactModel", "MDP"): "mdp.exact() is its exact model",
}


def expect(model: Any, who: str, *kinds: str) -> None:
    """TypeError unless ``model`` is of one of these kinds: names of classes of models, as ``who`` takes them."""
    from tabular.batch import MDPBatch
    from tabular.exact_model import ExactModel
    from tabular.finite_horizon import FiniteHorizonMDP
    from tabular.mdp import MDP

    classes = {"MDP": MDP, "FiniteHorizonMDP": FiniteHorizonMDP, "MDPBatch": MDPBatch, "ExactModel": ExactModel}
    if isinstance(model, tuple(classes[kind] for kind in kinds)):
        return
    given = type(model).__name__
    hint = _HINTS.get((kinds[0], given)) if len(kinds) == 1 else None
    wanted = " or ".join(f"{'an' if kind[0] in 'ME' else 'a'} {kind}" for kind in kinds)
    raise TypeError(f"{who} takes {wanted}, not {given}{f' ({hint})' if hint else ''}")


def flag(x: Any, name: str) -> bool:
    """TypeError for anything but True and False."""
    if not isinstance(x, (bool, np.bool_)):
        raise TypeError(f"{name} is {x!r}: expected True or False")
    return bool(x)


def count(x: Any, name: str, least: int = 1) -> None:
    """TypeError for what is no integer, ValueError below ``least``."""
    if isinstance(x, (bool, np.bool_, np.ndarray)) or not hasattr(x, "__index__"):
        raise TypeError(f"{name} is {x!r}: expected an integer")
    if x < least:
        raise ValueError(f"{name} is {x}: at least {least}")


def positive(x: Any, name: str, meaning: str, zero: bool = False) -> None:
    """TypeError for what is no number, ValueError unless it is positive (or zero, where that is allowed) and finite."""
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {x!r}: expected a number")
    if not (0 < x < np.inf or (zero and x == 0)):
        raise ValueError(f"{name} is {x}: expected a {'number from 0' if zero else 'positive number'}, {meaning}")


def marks(record: Any, K: int, points: int, name: str = "record") -> list[int]:
    """Increasing iterations in 1 ... K: those given, or if None ``points`` of them, evenly in their logarithm."""
    if record is None:
        return np.unique(np.geomspace(1, K, points).round().astype(int)).tolist()
    if not isinstance(record, Iterable) or isinstance(record, str):
        raise TypeError(f"{name} is {record!r}: expected increasing iterations in 1 ... {K}, or None")
    given = list(record)
    for k in given:
        count(k, name)
    if given != sorted(set(given)) or (given and given[-1] > K):
        raise ValueError(f"{name} is {given}: expected increasing iterations in 1 ... {K}")
    return [int(k) for k in given]


def discount(x: float) -> str:
    """A discount as text: six digits, but next to one, where they would hide the horizon, all of them."""
    return repr(float(x)) if 0.99 < x < 1.0 else f"{x:g}"


def policy(pi: Any, mask: np.ndarray, name: str = "pi") -> np.ndarray:
    """A policy as float64 (S, A), from that or from integer actions (S,); ModelError names the bad place."""
    S, A = mask.shape
    try:
        raw = np.asarray(pi)
    except ValueError:
        check.fail(f"{name} is ragged: its rows have different lengths")
    if raw.ndim == 1 and raw.dtype.kind in "iu":
        if raw.shape != (S,):
            check.fail(f"{name} has shape {raw.shape}: expected ({S}, {A}), or ({S},) actions")
        bad = (raw < 0) | (raw >= A)
        if bad.any():
            check.fail(f"{name}[{np.argmax(bad)}] is {raw[np.argmax(bad)]}: actions are 0 ... {A - 1}")
        raw = (raw[:, None] == np.arange(A)).astype(np.float64)
    out = check.float_array(raw, name)
    if out.shape != (S, A):
        check.fail(f"{name} has shape {out.shape}: expected ({S}, {A}), or ({S},) actions")
    check.check_probabilities(out, name)
    stray = (out > 0) & ~mask
    if stray.any():
        i = check.first(stray)
        check.fail(f"{check.place(name, i)} is {out[i]}, but the action is unavailable")
    total = check.row_sums(out)
    bad = np.abs(total - 1.0) > check.row_tolerance(A + 1)
    if bad.any():
        s = int(np.argmax(np.abs(total - 1.0)))
        check.fail(f"{name}[{s}] sums to {total[s]:.17g}, {total[s] - 1.0:+.3g} from 1")
    return out


def staged_policy(pi: Any, fh: Any) -> np.ndarray:
    """(H, S, A) from that, or from integer actions (H, S); ModelError names the stage and the bad place."""
    raw = np.asarray(pi)
    wanted = (fh.H, fh.S) if raw.ndim == 2 and raw.dtype.kind in "iu" else (fh.H, fh.S, fh.A)
    if raw.shape != wanted:
        check.fail(f"pi has shape {raw.shape}: expected ({fh.H}, {fh.S}, {fh.A}), or ({fh.H}, {fh.S}) actions")
    return np.stack([policy(raw[h], fh.stage(h).mask, f"stage {h}: pi") for h in range(fh.H)])
