"""mdvi: root mean square of (1 - alpha) E_K against 1 - alpha on the lower-bound chain, exactly and sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import decimals, outer, panels
from figures.table import Table
from proofs_check.claims.planning.mdvi_rates import moments
from tabular.reference import NumpyOps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "MDVI: what averaging gains"
CLAIMS = ("mdvi.C4a",)
LENGTHS = (2, 4, 8, 16, 32, 64, 128)
QUICK: dict[str, Any] = {"lengths": (2, 4, 8, 16, 32), "runs": 500}
SECONDS = {"quick": 1.0, "paper": 1.0}


def compute(
    *, H: float = 8.0, c: float = 0.375, M: int = 1, lengths: Sequence[int] = LENGTHS, runs: int = 2000
) -> Table:
    """Columns ``one_minus_alpha``, ``exact`` and ``sampled`` root mean squares in units of reward, ``error``: the
    standard error of the sampled mean square, carried over to its root. ``guide``: the square root of
    ``one_minus_alpha``, through the last ``exact``.
    """
    ops, rng, rows = NumpyOps(), np.random.default_rng(np.random.SeedSequence(75)), []
    for n in lengths:
        doublings = int(np.ceil(np.log2(8 * n)))
        square = moments(ops, ops.constant(c), H, float(M), 1 - 1 / n, doublings, entering=0)[0][0]
        exact = np.sqrt(float(square.data)) / n
        found = _sampled(rng, H, c, M, 1 - 1 / n, 2**doublings, runs) ** 2
        root = np.sqrt(found.mean())
        rows.append((1 / n, exact, root / n, found.std() / np.sqrt(runs) / (2 * root) / n))
    last, exact = rows[-1][:2]
    guided = [(*row, exact * np.sqrt(row[0] / last)) for row in rows]
    return Table.of_rows(("one_minus_alpha", "exact", "sampled", "error", "guide"), guided, H=H, c=c, M=M, runs=runs)


def draw(table: Table, style: Style) -> Figure:
    """Both logarithmic, so that a root is a line of slope 1/2."""
    fig, (ax,) = panels(style, 1, 0.38 if style.width > 4 else 0.68)
    c = table.columns
    ax.plot(
        c["one_minus_alpha"],
        c["guide"],
        color="#666666",
        linewidth=0.7,
        linestyle=(0, (4, 2)),
        label=r"$\propto (1-\alpha)^{1/2}$",
    )
    ax.plot(c["one_minus_alpha"], c["exact"], label="exact", **style.line(0, marker=False))
    look = {k: v for k, v in style.line(3).items() if k != "linestyle"}
    ax.errorbar(
        c["one_minus_alpha"], c["sampled"], yerr=c["error"], label="sampled", linestyle="none", capsize=2, **look
    )
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    decimals(ax.yaxis, at=(1.0, 2.0, 3.0, 5.0))
    outer([ax], x=r"$1 - \alpha$", y=r"rms of $(1-\alpha) E_K$")
    ax.legend(loc="upper left")
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    return (
        r"What averaging leaves of sampling errors: root mean square of $(1-\alpha) E_K$, $E_K = \sum_j "
        r"\alpha^{K-j} \varepsilon_j$ (units of "
        r"reward), against $1 - \alpha$ at the state that is left of the lower-bound chain, "
        f"horizon H = {p['H']:g}, left with probability {p['c']:g}/H, {p['M']} draw{'s' if p['M'] > 1 else ''} an "
        "iteration. No norm, no entropy term (temperature 0). Line: exact, from "
        f"second moments. Points: {p['runs']} independent runs; bars: one standard error either way (pointwise). "
        "Dashed: the slope 1/2."
    )


def _sampled(rng: np.random.Generator, H: float, c: float, M: int, alpha: float, K: int, runs: int) -> np.ndarray:
    gamma, p = 1 - 1 / H, 1 - c / H
    E, v = np.zeros(runs), np.zeros(runs)
    for _ in range(K):
        p_hat = rng.binomial(M, p, runs) / M
        E = alpha * E + gamma * (p_hat - p) * v
        v = 1 + gamma * p_hat * v
    return E
