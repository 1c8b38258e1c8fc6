r"""Widths of confidence bounds, as values: what optimistic planners take for what they do not know.

Each bounds the mean :math:`PV` of a row from n draws, for a logarithm L that the planner passes. ``register_width`` adds one of
one's own, by one function. ``scale`` multiplies what is added (of ``KullbackLeibler``: the radius); 1 is what the inequality says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tabular import _border as border
from tabular._kernels import widths as kernels
from tabular.exploration.learners import function


class Hoeffding(NamedTuple):
    r""":math:`\hat P V + \mathrm{span} \sqrt{L / 2n}`: for one V, with probability :math:`1 - e^{-L}` (Hoeffding 1963)."""

    scale: float = 1.0


class Bernstein(NamedTuple):
    r""":math:`\hat P V + \sqrt{2 L \hat\sigma^2 / n} + 7 L\, \mathrm{span} / (3 (n - 1))`, the variance that of a
    sample: for one V, with probability :math:`1 - 2 e^{-L}` (Maurer and Pontil 2009, Theorem 4); nothing is said
    before the second draw.
    """

    scale: float = 1.0


class Weissman(NamedTuple):
    r"""The largest mean over :math:`\|q - \hat p\|_1 \le \sqrt{2 (S \log 2 + L) / n}`: for all V at once, with probability
    :math:`1 - e^{-L}` (Weissman et al. 2003).
    """

    scale: float = 1.0


class Jaksch(NamedTuple):
    r"""The same with the radius :math:`\sqrt{14 S L / n}`, as UCRL2 has it (Jaksch, Ortner and Auer 2010)."""

    scale: float = 1.0


class KullbackLeibler(NamedTuple):
    r"""The largest mean over :math:`n\, \mathrm{KL}(\hat p \| q) \le L + (S-1) \log(e (1 + n / (S-1)))`: for all V
    and all n at once, with probability :math:`1 - e^{-L}` (Jonsson et al. 2020, Proposition 1).

    Computed by its dual, :math:`\min_{\nu \ge \max V} \nu - \exp(E_{\hat p} \log(\nu - V) - c)`, of which any
    :math:`\nu` gives a bound.
    """

    scale: float = 1.0


def register_width(cls: type, upper: Callable[..., Any]) -> None:
    """Let planners take widths of class ``cls``, a NamedTuple with a function ``upper(width, world, counts, row, V, top, span, L)``
    that Numba can compile: a bound on the mean of V (S,), at most ``top``, over a row that has been drawn.

    ``span`` bounds the range of what the bound must cover. Raises TypeError, ValueError as ``register_learner``.
    """
    function(upper, "upper")
    kernels.register_bound(cls, upper)


def check_width(width: Any) -> None:
    """TypeError for what is no width, ValueError for a negative scale."""
    if not kernels.has_bound(type(width)):
        raise TypeError(f"{width!r} is no width: expected Hoeffding(), Bernstein(), Weissman(), KullbackLeibler(), ...")
    if hasattr(width, "scale"):
        border.positive(width.scale, "scale of the width", "1 as proved", zero=True)


register_width(Hoeffding, kernels.hoeffding)
register_width(Bernstein, kernels.bernstein)
register_width(Weissman, kernels.weissman)
register_width(Jaksch, kernels.jaksch)
register_width(KullbackLeibler, kernels.kullback_leibler)
