r"""Proofs to hand out: the exact model, and rational bounds that a checker of a hundred lines verifies.

``gamma < 1``: with a refined value :math:`V` and its bound :math:`c`, put :math:`V_{hi} = \lceil V + c +
\eta \rceil` on a dyadic grid of spacing :math:`g`. Rounding up by less than :math:`g` raises
:math:`TV_{hi}` by at most :math:`g`, so :math:`\eta = 2 g / \min (1 - m)` makes :math:`T V_{hi} \le V_{hi}`
hold exactly. ``gamma = 1``: the bracket of ``tabular.certificates.total`` with slack above :math:`4 g`.
What is returned has been checked.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from tabular import checker
from tabular.certificates.float_bounds import _values
from tabular.certificates.model import Doubled
from tabular.certificates.pieces import Piece, total_reward_piece
from tabular.certificates.refinement import refine
from tabular.errors import TabularError
from tabular.exact_model import ExactModel, reduced
from tabular.regularizers import Hard, checked


def rational_certificate(mdp: Any, solution: Any, *, gap: float | None = None) -> dict[str, Any]:
    """A proof of ``V_lo <= V* <= V_hi`` for the exact model, for ``tabular.checker.check``; JSON-able.

    Parameters
    ----------
    mdp : MDP without regulariser.
    solution : Solution, or (S,) values near ``V*``.
    gap : how far apart ``V_lo`` and ``V_hi`` may be, about; by default 2^-50 of the values' scale. It is
        wider where refinement is.

    Returns ------- dict with ``format``, ``version``, ``states``, ``gamma``, ``pairs`` ([s, a, R, end
    weight, [[t, weight], ...]]), ``V_lo``, ``V_hi`` (rationals as strings), ``model`` (content hash). With
    ``gamma = 1`` and zero-reward end components the pairs are those of the quotient, and ``state_of`` says
    where each state of the model went.

    Raises
    ------
    TabularError where no certificate is found (too large, improper), or numbers exceed the checker's limits.
    """
    if getattr(solution, "info", {}).get("regularizer") is not None and not isinstance(
        checked(solution.info["regularizer"], mdp.mask), Hard
    ):
        raise TabularError("a regularised value is no rational: see certify")
    V = _values(getattr(solution, "V", solution), mdp.S)
    piece = Piece(mdp, None, np.arange(mdp.S), None)
    if mdp.gamma_exact == 1:
        piece, lo, hi = _total(mdp, V, gap)
    else:
        lo, hi = _discounted(mdp, V, gap)
    exact = piece.exact if piece.exact is not None else mdp.exact()
    certificate = {
        "format": checker.FORMAT,
        "version": checker.VERSION,
        "model": mdp.content_hash,
        "states": exact.S,
        "gamma": str(exact.gamma),
        "pairs": _pairs(exact),
        "V_lo": [str(x) for x in lo],
        "V_hi": [str(x) for x in hi],
    }
    if piece.quotient is not None:
        certificate["state_of"] = piece.state_of.tolist()
    verdict = checker.check(certificate)
    if not verdict.accepted:
        raise TabularError(f"no certificate was found: {verdict.reason}")
    return certificate


def _pairs(m: ExactModel) -> list[list[Any]]:
    out = []
    for i in np.flatnonzero(m.mask.ravel()).tolist():
        j, k = int(m.indptr[i]), int(m.indptr[i + 1])
        weights, _ = reduced([*m.weights[j:k], m.end_weights[i]], m.totals[i])
        row = [[int(t), str(w)] for t, w in zip(m.indices[j:k], weights, strict=False)]
        out.append([i // m.A, i % m.A, str(m.R[i]), str(weights[-1]), row])
    return out


def _grid(spacing: float) -> int:
    """Exponent k with 2^-k at most the spacing."""
    return -int(np.floor(np.log2(spacing)))


def _rounded(h: np.ndarray, low: np.ndarray, off: Fraction, k: int, up: bool) -> list[Fraction]:
    """``h + low + off`` rounded to multiples of 2^-k, upwards or downwards."""
    one = Fraction(2) ** k
    out = []
    for x, y in zip(h.tolist(), low.tolist(), strict=True):
        z = (Fraction(x) + Fraction(y) + off) * one
        n = -((-z.numerator) // z.denominator) if up else z.numerator // z.denominator
        out.append(n / one)
    return out


def _discounted(mdp: Any, V: np.ndarray, gap: float | None) -> tuple[list[Fraction], list[Fraction]]:
    h, low, bound = refine(mdp, V)
    c = float(bound.max())
    if not np.isfinite(c):
        raise TabularError("no certificate was found: the model is too large to refine, or its values overflow")
    scale = max(float(np.abs(h).max()), float(np.abs(mdp.rewards).max()), 2.0**-1000)
    target = scale * 2.0**-50 if gap is None else float(gap)
    least = float(Doubled(mdp).gap_lo[mdp.mask].min())
    k = _grid(max(target, 4 * c) * least / 16)
    eta = 2 * Fraction(1, 2) ** k / Fraction(least) + Fraction(c)
    return _rounded(h, low, -eta, k, False), _rounded(h, low, eta, k, True)


def _total(mdp: Any, V: np.ndarray, gap: float | None) -> tuple[Piece, list[Fraction], list[Fraction]]:
    from tabular.certificates.total import bracket, solve_total

    piece = total_reward_piece(mdp)
    start = np.zeros(piece.mdp.S)
    start[piece.state_of] = V
    found = solve_total(piece, start, Hard())
    both = None if found is None else bracket(*found)
    if found is None or both is None:
        raise TabularError(
            "no certificate was found: the model is too large, or has an end component of non-negative gain"
        )
    (ux, uy), (wx, wy), delta = both
    width = float(((wx - ux) + (wy - uy)).max())
    scale = max(float(np.abs(wx).max()), float(np.abs(mdp.rewards).max()), 2.0**-1000)
    target = scale * 2.0**-50 if gap is None else float(gap)
    if 2 * width < target:  # a wider bracket has shorter numbers
        wider = bracket(*found, delta=delta * target / (2 * width))
        if wider is not None:
            (ux, uy), (wx, wy), delta = wider
    k = _grid(delta / 8)
    return piece, _rounded(ux, uy, Fraction(0), k, False), _rounded(wx, wy, Fraction(0), k, True)
