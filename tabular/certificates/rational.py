r"""Proofs to hand out: the exact model, and rational bounds that an independent checker verifies.

``gamma < 1``: with a refined value :math:`V` and its bound :math:`c`, put :math:`V_{hi} = \lceil V + c +
\eta \rceil` on a dyadic grid of spacing :math:`g`. Rounding up by less than :math:`g` raises
:math:`TV_{hi}` by at most :math:`g`, so :math:`\eta = 2 g / \min (1 - m)` makes :math:`T V_{hi} \le V_{hi}`
hold exactly, with a regulariser as without. ``gamma = 1``: the bracket of ``tabular.certificates.total`` with
slack above :math:`4 g`. What is returned has been checked.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np

from tabular import checker
from tabular._border import expect, positive
from tabular.certificates.float_bounds import _values
from tabular.certificates.given import regularizer_of
from tabular.certificates.model import Doubled
from tabular.certificates.refinement import refine
from tabular.errors import TabularError
from tabular.exact_model import ExactModel, reduced
from tabular.regularizers import KL, Hard, Shannon, ShannonKL, Tsallis, TsallisKL


def rational_certificate(
    mdp: Any, solution: Any, *, regularizer: Any = None, gap: float | None = None
) -> dict[str, Any]:
    """A proof of ``V_lo <= V* <= V_hi`` for the exact model, for ``tabular.checker.check``; JSON-able.

    Parameters
    ----------
    mdp : MDP.
    solution : Solution, or (S,) values near ``V*``.
    regularizer : None, Shannon, KL, ShannonKL, or Tsallis and TsallisKL of index 2, which is rational: then ``V*`` is the
        regularised optimal value, with the weights' float values and the reference's rows over their exact sums. By
        default that of the solution.
    gap : how far apart ``V_lo`` and ``V_hi`` may be, about; by default 2^-50 of the values' scale. It is
        wider where refinement is.

    Returns
    -------
    dict with ``format``, ``version``, ``states``, ``gamma``, ``pairs`` ([s, a, R, end weight, [[t, weight], ...]]),
    ``V_lo``, ``V_hi`` (rationals as strings), ``model`` (content hash); ``regularizer`` (``tau``, ``lam``, and
    ``reference``: a weight for each pair, or None; ``index`` where it is 2) where there is one; ``component`` (a
    state of the zero-reward end component that each state is in, else itself) where ``gamma = 1`` and there are any.

    Raises
    ------
    TabularError where no certificate is found (too large, improper, an index other than 1 and 2, or one's own
    regulariser), or numbers exceed the checker's limits. ValueError where the solution's regulariser is not the one
    given.
    """
    expect(mdp, "rational_certificate", "MDP")
    if gap is not None:
        positive(gap, "gap", "in the unit of the rewards")
    regularizer = regularizer_of(solution, regularizer, mdp.mask)
    indexed = isinstance(regularizer, (Tsallis, TsallisKL))
    if indexed and regularizer.q != 2:
        raise TabularError(
            f"no certificate was found: the checker knows {type(regularizer).__name__} of index 2 alone, not {regularizer.q:g}"
        )
    if not indexed and not isinstance(regularizer, (Hard, Shannon, KL, ShannonKL)):
        raise TabularError(f"no certificate was found: the checker does not know {type(regularizer).__name__}")
    V = _values(solution, mdp.S)
    exact = mdp.exact()
    certificate = {
        "format": checker.FORMAT,
        "version": checker.INDEXED if indexed else checker.VERSION,
        "model": mdp.content_hash,
        "states": exact.S,
        "gamma": str(exact.gamma),
        "pairs": _pairs(exact),
    }
    if not isinstance(regularizer, Hard):
        certificate["regularizer"] = _weights(regularizer, exact.mask)
    bounds = _total if mdp.gamma_exact == 1 else _discounted
    for widening in (1, 8, 64):
        certificate |= bounds(mdp, V, regularizer, gap, widening)
        verdict = checker.check(certificate)
        if verdict.accepted:
            return certificate
    raise TabularError(f"no certificate was found: {verdict.reason}")


def _weights(regularizer: Any, mask: np.ndarray) -> dict[str, Any]:
    """The regulariser in exact numbers."""
    tau, lam = (Fraction(getattr(regularizer, name, 0.0)) for name in ("tau", "lam"))
    out: dict[str, Any] = {"tau": str(tau), "lam": str(lam), "reference": None}
    if isinstance(regularizer, (Tsallis, TsallisKL)):
        out["index"] = "2"
    if lam:
        out["reference"] = []
        for s in range(len(mask)):
            row = [Fraction(x) for x in regularizer.reference[s, mask[s]].tolist()]
            unit = lcm(*(x.denominator for x in row))
            weights, _ = reduced([int(x * unit) for x in row], 0)
            out["reference"] += [str(w) for w in weights]
    return out


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


def _bounds(lo: list[Fraction], hi: list[Fraction]) -> dict[str, Any]:
    return {"V_lo": [str(x) for x in lo], "V_hi": [str(x) for x in hi]}


def _discounted(mdp: Any, V: np.ndarray, regularizer: Any, gap: float | None, widening: int) -> dict[str, Any]:
    h, low, bound = refine(mdp, V, regularizer)
    c = float(bound.max()) * widening
    if not np.isfinite(c):
        raise TabularError("no certificate was found: the model is too large to refine, or its values overflow")
    scale = max(float(np.abs(h).max()), float(np.abs(mdp.rewards).max()), 2.0**-1000)
    target = scale * 2.0**-50 if gap is None else float(gap)
    least = float(Doubled(mdp).gap_lo[mdp.mask].min())
    k = _grid(max(target, 4 * c) * least / 16)
    eta = 2 * Fraction(1, 2) ** k / Fraction(least) + Fraction(c)
    return _bounds(_rounded(h, low, -eta, k, False), _rounded(h, low, eta, k, True))


def _total(mdp: Any, V: np.ndarray, regularizer: Any, gap: float | None, widening: int) -> dict[str, Any]:
    from tabular.certificates.total import bracket, bracketed

    found = bracketed(mdp, V, regularizer)
    if found is None:
        raise TabularError(
            "no certificate was found: the model is too large, or has an end component of non-negative gain"
        )
    width = float((found.above[0] - found.below[0]).max()) + float((found.above[1] - found.below[1]).max())
    scale = max(float(np.abs(found.above[0]).max()), float(np.abs(mdp.rewards).max()), 2.0**-1000)
    target = scale * 2.0**-50 if gap is None else float(gap)
    (ux, uy), (wx, wy), delta = found.below, found.above, found.delta
    stretch = max(float(widening), target / (2 * width) if 2 * width < target else 1.0)
    if stretch > 1:  # a wider bracket has shorter numbers
        wider = bracket(*found.found, delta=delta * stretch)
        if wider is not None:
            (ux, uy), (wx, wy), delta = wider
    k, at = _grid(delta / 8), found.piece.state_of.tolist()
    lo, hi = _rounded(ux, uy, Fraction(0), k, False), _rounded(wx, wy, Fraction(0), k, True)
    out = _bounds([lo[q] for q in at], [hi[q] for q in at])
    if found.piece.quotient is not None:
        first: dict[int, int] = {}
        out["component"] = [first.setdefault(q, s) for s, q in enumerate(at)]
    return out
