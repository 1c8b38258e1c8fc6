"""Total reward without discounting: which models have a finite value, and the quotient in which to find it.

With ``gamma = 1`` the objective is the supremum over policies of the expected total reward until the declared
end. An *end component* is a set of states with pairs that keep the process in it and connect its states:
there, and only there, can a policy stay for ever. Write ``g(C)`` for the greatest average reward of a policy
that stays in ``C``.

1. Maximal end components of zero-reward pairs earn nothing for as long as one likes, and from any of their
   states every other is reached for nothing. Each becomes one state, which may leave by any pair of a member
   that is not internal, or "stay, worth nothing". Values are unchanged, and the quotient has no end component
   of zero rewards only.
2. In what end components remain, rewards that are all <= 0 have ``g < 0`` and rewards that are all >= 0 have
   ``g > 0``, since every recurrent class holds a non-zero reward; with both signs ``g`` is decided
   (``tabular.planning.gain_sign``). ``g > 0`` is worth plus infinity; ``g = 0`` oscillates, and the total is
   undefined; ``g < 0`` never pays, unless there is no way out, where the value is minus infinity.
3. What is left is a stochastic shortest path problem in the sense of Bertsekas and Tsitsiklis (1991): a
   proper policy exists and every improper one is worth minus infinity somewhere, so Bellman's equation has
   one finite solution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tabular.errors import ImproperModel
from tabular.exact_model import ExactModel, float_weights
from tabular.planning.collapse import Collapsed, collapse
from tabular.planning.end_components import EndComponent, entries, named_states
from tabular.planning.gain_sign import Component, gain_sign


def total_reward_quotient(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    R: np.ndarray,
    end: np.ndarray,
    mask: np.ndarray,
    *,
    labels: Sequence[str] | None = None,
    exact: ExactModel | None = None,
    width: int | None = None,
) -> Collapsed:
    """The quotient in which the optimal total reward is finite and Bellman's equation has one solution.

    The exact model behind the floats, ``exact`` or else their canonical lift, decides signs that floats
    cannot. CSR rows are ``s * A + a``; ``R, end, mask`` are (S, A), with ``R`` zero where unavailable;
    ``width`` is that of ``collapse``. Cost: two decompositions, and where rewards in a component have both
    signs some steps of value iteration, of policy iteration, or exact arithmetic.

    Raises
    ------
    ImproperModel naming the component, reachable from the start or not: an end component has positive gain;
        or zero gain with rewards that do not vanish; or is negative and inescapable; or neither floats nor
        exact arithmetic decide its sign.
    """
    quotient = collapse(indptr, indices, data, R, end, mask, width=width)
    available = quotient.mask.sum(axis=1)
    verdicts: dict[int, list[EndComponent]] = {1: [], 0: [], -1: []}
    for c in quotient.remaining:
        r = quotient.R.ravel()[c.pairs]
        if (r <= 0).all():
            sign = -1
        elif (r >= 0).all():
            sign = 1
        else:
            sign = _mixed_sign(quotient, c, data, R, end, exact, labels)
        if sign >= 0 or available[c.states].sum() == len(c.pairs):
            verdicts[sign].append(c)
    reasons = {
        1: "has positive gain: a policy that stays there earns without end (its value is plus infinity)",
        0: "has zero gain with rewards that do not vanish: the total reward of staying there is undefined",
        -1: "is negative and inescapable: every policy loses there without end (its value is minus infinity)",
    }
    for sign, bad in verdicts.items():
        if bad:
            where = named_states(_members(quotient, bad[0]), labels)
            more = f" (and {len(bad) - 1} more like it)" if len(bad) > 1 else ""
            raise ImproperModel(
                f"gamma = 1: the end component of {where}{more} {reasons[sign]}. "
                f"Discount, or declare where the process ends; "
                f"if the start does not reach these states, remove them"
            )
    return quotient


def _mixed_sign(
    quotient: Collapsed,
    c: EndComponent,
    data: np.ndarray,
    R: np.ndarray,
    end: np.ndarray,
    exact: ExactModel | None,
    labels: Sequence[str] | None,
) -> int:
    B = quotient.R.shape[1]
    entry, owner = entries(quotient.indptr, c.pairs)
    floats = Component(
        n=len(c.states),
        src=np.searchsorted(c.states, c.pairs // B),
        ptr=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(c.pairs)))]),
        dst=np.searchsorted(c.states, quotient.indices[entry]),
        p=quotient.data[entry],
        r=quotient.R.ravel()[c.pairs],
    )
    sign = gain_sign(floats, _exact_component(quotient, c, floats.src, data, R, end, exact))
    if sign is None:
        where = named_states(_members(quotient, c), labels)
        raise ImproperModel(
            f"gamma = 1: the gain of the end component of {where} is too near zero for floats to tell its "
            f"sign, and the component too large for exact arithmetic ({len(c.states)} states): undecided"
        )
    return sign


def _exact_component(
    quotient: Collapsed,
    c: EndComponent,
    src: np.ndarray,
    data: np.ndarray,
    R: np.ndarray,
    end: np.ndarray,
    exact: ExactModel | None,
) -> Callable[[], Component]:
    """The same component in rationals, made only when it is wanted."""

    def make() -> Component:
        from flint import fmpq

        indptr, indices, _ = quotient.source
        ptr, dst, p, r = [0], [], [], []
        for code in quotient.pair_of.ravel()[c.pairs].tolist():
            if code <= -3:
                dst.append(-3 - code)
                p.append(fmpq(1))
                r.append(fmpq(0))
            else:
                i, j = int(indptr[code]), int(indptr[code + 1])
                if exact is None:
                    weights: Sequence[int]
                    weights, _, (total,) = float_weights(np.array([0, j - i]), data[i:j], end.ravel()[code : code + 1])
                    reward = float(R.ravel()[code]).as_integer_ratio()
                else:
                    weights, total = exact.weights[i:j], exact.totals[code]
                    reward = exact.R[code].as_integer_ratio()
                dst += quotient.state_of[indices[i:j]].tolist()
                p += [fmpq(w, total) for w in weights]
                r.append(fmpq(*reward))
            ptr.append(len(dst))
        local = np.searchsorted(c.states, np.array(dst))
        return Component(len(c.states), src, np.array(ptr), local, np.array(p, dtype=object), np.array(r, dtype=object))

    return make


def _members(quotient: Collapsed, c: EndComponent) -> np.ndarray:
    """Original states of a component of the quotient."""
    return np.flatnonzero(np.isin(quotient.state_of, c.states))
