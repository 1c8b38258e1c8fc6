"""Where an entropy term makes the total reward without end infinite.

A regulariser pays for choice, so a policy may stay in an end component for the sake of entropy alone. Let
``g(C)`` be the greatest average of ``R - Omega(pi)`` over policies that stay in a maximal end component
``C``, and say that ``C`` has a choice if one of its states has two available pairs, internal or leaving.

- With a choice, ``g(C) >= 0`` is refused. For ``g > 0`` the value is plus infinity. For ``g = 0`` it is never
  attained, and plus infinity for Shannon entropy: leaving with probability ``p`` a step costs nothing on
  average, lasts ``1/p`` steps and earns ``tau p log(1/p)`` at each.
- With a choice, ``g(C) < 0`` and a way out, staying never pays: total values are finite. Without a way out
  they are not.
- Without a choice ``C`` is a closed chain. If its rewards are zero it is worth nothing, and may as well end
  at once; otherwise its total is infinite, minus infinite or undefined.

``g(C)`` is bracketed by relative value iteration: for any ``h``, ``min (T h - h) <= g <= max (T h - h)``
where ``T`` is the regularised backup over internal pairs; ``h`` moves by part of ``T h - h``, which cannot
cycle (Schweitzer 1971).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tabular.errors import ImproperModel
from tabular.planning.end_components import EndComponent, maximal_end_components, named_states

STEP = 0.75
"""The part of ``T h - h`` that is taken: periods vanish, and so does half of a period of two at each step."""


def check_regularised(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    R: np.ndarray,
    end: np.ndarray,
    mask: np.ndarray,
    conjugate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    labels: Sequence[str] | None = None,
    max_iter: int = 20_000,
) -> np.ndarray:
    """Refuse a model whose regularised total reward is not finite; else find states worth nothing for ever.

    Parameters
    ----------
    indptr, indices, data : CSR, rows ``s * A + a``.  R, end, mask : (S, A); ``R`` is zero where unavailable.
    conjugate : ``(Q (S, A), mask (S, A)) -> (S,)``, the convex conjugate of the regulariser over the pairs in
        the mask (at least one in each row), for instance ``tau * log(sum(exp(Q / tau)))``; accurate to a few
        ulps of the largest ``Q``. Pairs that the regulariser forbids must not be in ``mask``.
    max_iter : steps of relative value iteration, each O(nnz + S A).

    Returns
    -------
    (S,) bool: states in closed chains without choice or reward. Replace their rows by ``end = 1``: see
        ``grounded``.

    Raises
    ------
    ImproperModel naming the component and the reason; also where the bracket of its gain does not leave zero:
        undecided.
    """
    S, A = mask.shape
    components = maximal_end_components(indptr, indices, end, mask)
    nothing = np.zeros(S, dtype=bool)
    if not components:
        return nothing
    inner = np.zeros((S, A), dtype=bool)
    inner.ravel()[np.concatenate([c.pairs for c in components])] = True
    use = np.where(np.any(inner, axis=1, keepdims=True), inner, mask)
    reward = np.where(inner, R, 0.0)
    once = conjugate(reward, use)  # one pair: R - Omega of a sure choice
    width = mask.sum(axis=1)
    open_ = []
    for c in components:
        zero = not reward[c.states].any() and not once[c.states].any()
        if (width[c.states] == 1).all():
            if not zero:
                _refuse(
                    c.states,
                    labels,
                    "has no choice, no way out and rewards that do not vanish: its total is not finite",
                )
            nothing[c.states] = True
        elif zero and len(c.pairs) == len(c.states):
            _refuse(c.states, labels, "stays for nothing while leaving is a choice: its regularised gain is zero")
        else:
            open_.append(c)
    if not open_:
        return nothing
    signs = _signs(indptr, indices, data, reward, inner, use, open_, conjugate, max_iter)
    for sign, why in (
        (1, "has a choice and non-negative regularised gain: staying there pays without end"),
        (0, f"has a regularised gain too near zero for its sign to be told (in {max_iter} steps): undecided"),
    ):
        for i in np.flatnonzero(signs == sign)[:1]:
            _refuse(open_[i].states, labels, why)
    for c in open_:
        if width[c.states].sum() == len(c.pairs):
            _refuse(c.states, labels, "is negative and inescapable: its value is minus infinity")
    return nothing


def _signs(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    reward: np.ndarray,
    inner: np.ndarray,
    use: np.ndarray,
    components: list[EndComponent],
    conjugate: Callable[[np.ndarray, np.ndarray], np.ndarray],
    max_iter: int,
) -> np.ndarray:
    """Signs of the components' gains, 0 where undecided; all are iterated at once, until one is positive or
    all are negative.
    """
    from scipy.sparse import csr_matrix

    S, A = reward.shape
    states = np.concatenate([c.states for c in components])
    sizes = np.array([len(c.states) for c in components])
    start = np.cumsum(sizes) - sizes
    owner = np.repeat(np.arange(len(sizes)), sizes)
    row = np.repeat(np.arange(S * A), np.diff(indptr))
    kept = inner.ravel()[row]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=S * A))])
    P = csr_matrix((data[kept], indices[kept], ptr), shape=(S * A, S))
    roundings = int(np.diff(ptr).max()) + A + 32
    h = np.zeros(S)
    sign = np.zeros(len(sizes), dtype=int)
    size = np.maximum.reduceat(np.abs(reward).max(axis=1)[states], start)
    for _ in range(max_iter):
        Th = conjugate(reward + (P @ h).reshape(S, A), use)[states]
        d = Th - h[states]
        scale = size + np.maximum.reduceat(np.maximum(np.abs(Th), np.abs(h[states])), start)
        error = roundings * np.finfo(float).eps * scale
        lower, upper = np.minimum.reduceat(d, start) - error, np.maximum.reduceat(d, start) + error
        sign = np.where(lower > 0, 1, np.where(upper < 0, -1, sign))
        if (sign > 0).any() or (sign != 0).all():
            break
        if ((sign == 0) & (upper - lower <= 4 * error)).any():
            break  # rounding is all that is left of the bracket, and zero is in it
        step = h[states] + STEP * d
        middle = (np.maximum.reduceat(step, start) + np.minimum.reduceat(step, start)) / 2
        h[states] = step - middle[owner]
    return sign


def grounded(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    end: np.ndarray,
    mask: np.ndarray,
    nothing: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """``(indptr, indices, data, end)`` where the pairs of the states in ``nothing`` end at once. Shapes are
    unchanged.
    """
    S, A = mask.shape
    row = np.repeat(np.arange(S * A), np.diff(indptr))
    kept = ~nothing[row // A]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=S * A))]).astype(np.int64)
    return ptr, indices[kept], data[kept], np.where(nothing[:, None] & mask, 1.0, end)


def _refuse(states: np.ndarray, labels: Sequence[str] | None, why: str) -> None:
    raise ImproperModel(
        f"gamma = 1 with a regulariser: the end component of {named_states(states, labels)} {why}. "
        f"Discount, lower the temperature, or declare where the process ends; "
        f"if the start does not reach these states, remove them"
    )
