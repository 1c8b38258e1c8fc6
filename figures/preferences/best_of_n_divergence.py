"""best_of_n: divergence of the best of n from the reference law, with its bound, and how much the bound gives away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, legend, listed, panels
from figures.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Best of n: divergence and its bound"
CLAIMS = ("best_of_n.C1", "best_of_n.C2", "best_of_n.C3")
SIZES = (2, 10, 100, 1000)
QUICK: dict[str, Any] = {}
SECONDS = {"quick": 1.0, "paper": 1.0}


def compute(*, sizes: Sequence[int] = SIZES, most: int = 10_000, points: int = 49) -> Table:
    r"""Columns ``outcomes`` L, ``n``, ``divergence`` :math:`KL(\pi_n \| p)` in nats for the uniform law p of L
    outcomes with distinct rewards, ``estimate`` :math:`E_{\pi_n} \hat D(p(y))`, ``bound`` :math:`\log n - (n-1)/n`,
    ``gap`` = bound - divergence, and what theory has for it: ``least`` :math:`\log(n/L) - (n-1)/n` and ``largest``
    :math:`2n(n-1)\sum p^2`.

    Exact up to rounding; nothing is drawn. ``n`` in geometric progression from 2 to ``most``. O(L) each.
    """
    ns = np.unique(np.round(np.geomspace(2, most, points)).astype(np.int64))
    rows = []
    for L in sizes:
        for n in ns.tolist():
            kl, bound = divergence(np.full(L, 1.0 / L), n), float(np.log(n)) - (n - 1) / n
            least, largest = float(np.log(n / L)) - (n - 1) / n, 2.0 * n * (n - 1) / L
            rows.append((L, n, kl, estimate(1.0 / L, n), bound, bound - kl, least, largest))
    names = ("outcomes", "n", "divergence", "estimate", "bound", "gap", "least", "largest")
    return Table.of_rows(names, rows, most=most)


def divergence(p: np.ndarray, n: int) -> float:
    r""":math:`KL(\pi_n \| p)` in nats, for outcomes in the order of their rewards: :math:`\pi_n = F^n - (F^-)^n`.

    As :math:`F^n (1 - (F^-/F)^n)`, of which nothing cancels.
    """
    F = np.minimum(np.cumsum(p), 1.0)
    with np.errstate(divide="ignore"):  # the first has nothing before it
        before = np.log1p(-p / F)
    log_law = n * np.log(F) + np.log(-np.expm1(n * before))
    return float(np.exp(log_law) @ (log_law - np.log(p)))


def estimate(epsilon: float, n: int) -> float:
    r""":math:`\hat D(\varepsilon)` of the source for 0 < epsilon < 1, which is its mean where p is uniform."""
    log_missed = n * np.log1p(-epsilon)
    missed, hit = np.exp(log_missed), -np.expm1(log_missed)
    rest = np.log(n) + (n - 1) * np.log1p(-epsilon) - (n - 1) / n
    return float(missed * rest + hit * (np.log(hit) - np.log(epsilon)))


def draw(table: Table, style: Style) -> Figure:
    """The divergence, and its distance from the bound."""
    fig, axes = panels(style, 2, 0.75)
    for i, L in enumerate(each(table.columns["outcomes"])):
        c = table.where(outcomes=L).columns
        look = style.line(i) | {"markevery": (2 * i, 10)}
        axes[0].plot(c["n"], c["divergence"], label=f"$L = {L}$", **look)
        axes[1].plot(c["n"], c["gap"], label=f"$L = {L}$", **look)
        said = c["least"] > 0
        axes[1].plot(c["n"][said], c["least"][said], color="#666666", linewidth=0.7, zorder=0)
        axes[1].plot(c["n"], c["largest"], color=style.palette[i], linewidth=0.6, linestyle=(0, (4, 2)), zorder=0)
    axes[0].plot(c["n"], c["bound"], color="#666666", linewidth=1.6, label=r"$\log n - (n-1)/n$", zorder=0)
    axes[1].set_yscale("log")
    axes[1].set_ylim(table.columns["gap"].min() / 3, 3 * table.columns["bound"].max())
    for ax in axes:
        ax.set_xscale("log")
        ax.set_xlabel("$n$")
    axes[0].set_ylabel(r"$KL(\pi_n \,\|\, p)$ in nats")
    axes[1].set_ylabel("bound less divergence" if style.width > 4 else "slack")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    sizes = listed(each(table.columns["outcomes"]))
    return (
        r"Best of n draws from the uniform law p on L outcomes with distinct rewards. Left: $KL(\pi_n \| p)$ in "
        "nats and the bound "
        r"$\log n - (n-1)/n$, the same for all laws; the divergence stops at $\log L$. Right: bound less "
        "divergence; dashed, above each in its colour: at most "
        r"$2n(n-1) \sum p^2$; solid grey, below: at least $\log(n/L) - (n-1)/n$, where that is positive. L = "
        rf"{sizes}. Exact up to rounding: no temperature, no seeds, no band, no norm."
    )
