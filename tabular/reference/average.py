r"""Gain and bias over ``ops``, in every arithmetic, with the classes of the chain known from its support.

On a recurrent class with an anchor state :math:`s_0` the matrix :math:`I - P + 1 e_{s_0}^\top` is invertible: if it maps x to
zero, the stationary law gives :math:`x(s_0) = 0`, then :math:`(I - P) x = 0` makes x constant. So :math:`(I - P + 1
e_{s_0}^\top) x = r` has :math:`x(s_0) = g` and :math:`x = g + h - h(s_0)`. Transient states follow by :math:`I - P_{TT}`.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from tabular.reference.value import Value


class Structure(NamedTuple):
    """``recurrent`` (batch +) (S,) bool; ``anchor`` (batch +) (S, S) 0 or 1: the least state of each recurrent state's class."""

    recurrent: np.ndarray
    anchor: np.ndarray


def structure(support: np.ndarray) -> Structure:
    """Classes of chains from where their entries are positive, (batch +) (S, S) bool."""
    S = support.shape[-1]
    reach = support | np.eye(S, dtype=bool)
    for _ in range(max(S - 1, 1).bit_length()):
        reach = np.matmul(reach.astype(np.float32), reach.astype(np.float32)) > 0
    both = reach & reach.swapaxes(-1, -2)
    recurrent = (both == reach).all(axis=-1)
    least = np.argmax(both, axis=-1)
    return Structure(recurrent, ((least[..., None] == np.arange(S)) & recurrent[..., None]).astype(np.float64))


def chain_support(P: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """(batch +) (S, S) bool: where a policy may go, from (batch +) (S, A, S) probabilities and where its own are positive."""
    return np.asarray(((P > 0) & policy[..., None]).any(axis=-2))


def gain(ops: Any, P: Value, r: Value, classes: Structure) -> Value:
    """The gain (S,) of a chain (S, S) with rewards (S,)."""
    anchor, eye = ops.array(classes.anchor, 2), ops.identity(P.shape[0])
    earned = ops.dot(anchor, ops.solve(eye - P + anchor, r)[None, :])
    return ops.solve(ops.where(classes.recurrent[..., None], eye, eye - P), earned)


def gain_bias(ops: Any, P: Value, r: Value, classes: Structure) -> tuple[Value, Value]:
    """Gain and bias (S,) of a chain (S, S) with rewards (S,)."""
    anchor, eye = ops.array(classes.anchor, 2), ops.identity(P.shape[0])
    g = gain(ops, P, r, classes)
    pinned = ops.solve(eye - P + anchor, r - g)  # zero at the anchors: what is missing is its own gain
    return g, pinned - gain(ops, P, pinned, classes)


def unichain_gain(ops: Any, P: Value, r: Value) -> Value:
    """The gain, a scalar, of a chain with one recurrent class, whichever it is."""
    eye = ops.identity(P.shape[0])
    return ops.solve(eye - P + eye[:1], r)[0]


def stationary(ops: Any, P: Value) -> Value:
    """The stationary law (S,) of a chain with one recurrent class."""
    eye = ops.identity(P.shape[0])
    return ops.solve(ops.transpose(eye - P + eye[:1]), eye[0])


def product_of(ops: Any, A: Value, B: Value) -> Value:
    """``A B`` of two matrices."""
    return ops.dot(A[:, None, :], ops.transpose(B)[None, :, :])


def overlaps(ops: Any, P: Value, M: int) -> list[Value]:
    r""":math:`p_m = \sum_t \min_s P^m(s, t)` for m = 1 ... M: the mass that m steps from all states share."""
    power, found = P, []
    for m in range(1, M + 1):
        found.append(ops.sum(ops.min(power, axis=-2)))
        power = product_of(ops, power, P) if m < M else power
    return found


def deterministic_policies(S: int, A: int) -> list[np.ndarray]:
    """All ``A**S`` deterministic policies as (S, A) zeros and ones."""
    return [np.eye(A)[list(actions)] for actions in product(range(A), repeat=S)]
