"""average_reward: loss of planning from n samples against n, and the n that is needed, for rising minorisation times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import decimals, each, legend, panels
from figures.table import Table
from tabular import MDP
from tabular.planning.perturbed_planning import perturbed_planning, reduction_parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Average reward: the pair of scalings"
CLAIMS = ("average_reward.C5", "average_reward.C5c")
TIMES = (1, 2, 4, 8, 16, 32, 64)
QUICK: dict[str, Any] = {"times": (1, 4, 16), "multiples": (4, 16, 64), "runs": 100}
SECONDS = {"quick": 3.0, "paper": 15.0}


def compute(
    *,
    times: Sequence[int] = TIMES,
    multiples: Sequence[int] = (4, 16, 64, 256, 1024),
    runs: int = 400,
    seed: int = 100,
) -> tuple[Table, Table]:
    """Losses against samples, and samples ``needed``."""
    return losses(times=times, multiples=multiples, runs=runs, seed=seed), needed(times=times)


def losses(*, times: Sequence[int], multiples: Sequence[int], runs: int, seed: int = 100) -> Table:
    r"""Columns ``t``, ``n`` samples of each pair, ``gap``, ``exact`` and ``sampled`` mean loss of average reward,
    ``error``: the standard error of ``sampled``. Losses are in units of reward, of which a step pays 0 or 1.

    The hard chain of the source with a gap: action 0 changes the state with probability ``1 / (2t)``, action 1 with
    ``1 - gap`` times that; ``t`` is the minorisation time of action 0 alone. At a ``gap`` of :math:`\sqrt{t/n}` n samples
    tell the actions apart often, and not always; ``n`` is each of ``multiples`` (above 1) of ``t``. Samples are those of
    ``perturbed_planning``, ``runs`` times, with seeds from ``seed`` on.
    """
    rows = []
    for t in times:
        for n in (t * m for m in multiples):
            gap = float(np.sqrt(t / n))
            lost = np.array([_sampled(t, n, gap, seed + i) for i in range(runs)])
            exact = _expected(t, n, gap, lambda loss: loss)
            rows.append((t, n, gap, exact, lost.mean(), lost.std() / np.sqrt(runs)))
    return Table.of_rows(("t", "n", "gap", "exact", "sampled", "error"), rows, runs=runs, seed=seed)


def needed(*, times: Sequence[int] = TIMES, gap: float = 0.25, delta: float = 0.05) -> Table:
    """Columns ``t``, ``n``: samples of each pair that suffice, and ``n - 1`` do not, for the optimal policy with probability
    ``1 - delta`` at a ``gap`` that is the same for all ``t``. ``failure``: the probability at ``n``, exactly;
    ``linear``: through the last n and zero.

    By bisection; the probability is not monotone in every single step, so that n is a crossing, if perhaps not the first.
    """
    rows = []
    for t in times:
        low, high = 0, 1
        while _failure(t, high, gap) > delta:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _failure(t, middle, gap) > delta else (low, middle)
        rows.append((t, high, _failure(t, high, gap)))
    t, n, _ = rows[-1]
    return Table.of_rows(
        ("t", "n", "failure", "linear"), [(*row, n / t * row[0]) for row in rows], gap=gap, delta=delta
    )


def draw(table: tuple[Table, Table], style: Style) -> Figure:
    """Both pairs of axes logarithmic; grey lines have the slopes of the theory."""
    lost, enough = table
    fig, axes = panels(style, 2, 0.75)
    for i, t in enumerate(each(lost.columns["t"])):
        c = lost.where(t=t).columns
        look = style.line(i)
        axes[0].plot(c["n"], c["exact"], **look | {"marker": ""})
        axes[0].errorbar(
            c["n"], c["sampled"], yerr=c["error"], capsize=1.5, label=f"$t = {t}$", **look | {"linestyle": "none"}
        )
    c = enough.columns
    axes[1].plot(c["t"], c["n"], **style.line(0))
    axes[1].plot(c["t"], c["linear"], color="#666666", linewidth=0.6, linestyle=(0, (4, 2)), zorder=0, label="linear")
    for ax in axes:
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
    axes[0].set_xlabel("samples of each pair $n$")
    axes[0].set_ylabel("loss")
    axes[1].set_xlabel(r"minorisation time $t$")
    axes[1].set_ylabel("samples needed")
    decimals(axes[0].yaxis, axes[1].yaxis)
    legend(style, fig, axes[:1])
    axes[1].legend()
    return fig


def caption(table: tuple[Table, Table]) -> str:
    """What the figure shows."""
    p, q = (t.parameters for t in table)
    return (
        "Planning for the average reward from n samples of each pair, on the hard chain with minorisation time t. "
        "Left: mean loss of average "
        "reward (units of reward, of which a step pays 0 or 1; no norm: the gain is the same in all states) "
        "against n, at gaps "
        rf"$\sqrt{{t/n}}$ of the actions. Lines: exact; points: {p['runs']} runs of the algorithm, seeds from "
        f"{p['seed']} on; bars: one standard "
        "error either way (pointwise). Right: least n found for the optimal policy with probability "
        f"{1 - q['delta']:g} at the gap "
        rf"{q['gap']:g}, exactly; dashed: proportional to t. No entropy term (temperature 0)."
    )


def _gain(t: int, gap: float, first: int, second: int) -> float:
    """Average reward of the policy that takes these actions in the state that pays and in the other one; ``t`` cancels."""
    a, b = (1.0 - gap if action else 1.0 for action in (first, second))
    return b / (a + b)


def _failure(t: int, n: int, gap: float) -> float:
    return _expected(t, n, gap, lambda loss: float(loss > 0))


def _expected(t: int, n: int, gap: float, of: Callable[[float], float]) -> float:
    """Mean of a function of the loss. The plan takes what left the paying state less often, and the other one more often; ties
    go to either with probability 1/2.
    """
    from scipy.stats import binom

    k, p = np.arange(n + 1), 0.5 / t
    slower, faster = binom(n, p * (1.0 - gap)), binom(n, p)
    law = slower.pmf(k)
    right = float(law @ (faster.sf(k) + faster.pmf(k) / 2))  # in each of the states, independently
    chances = {True: right, False: 1.0 - right}
    best = _gain(t, gap, 1, 0)
    return sum(
        chances[first] * chances[second] * of(best - _gain(t, gap, int(first), int(not second)))
        for first in chances
        for second in chances
    )


def _sampled(t: int, n: int, gap: float, seed: int) -> float:
    leaves = np.array([1.0, 1.0 - gap]) * 0.5 / t
    P = np.zeros((2, 2, 2))
    P[0, :, 1] = P[1, :, 0] = leaves
    P[0, :, 0] = P[1, :, 1] = 1.0 - leaves
    mdp = MDP(P, [[1.0, 1.0], [0.0, 0.0]], 0.5)
    gamma = reduction_parameters(gap, t, 2, 2).gamma
    # One sample more or less moves an action's value by more than 1 / (4 n): this noise breaks ties and nothing else.
    actions = perturbed_planning(mdp, gamma, 1.0 / (8 * n), n, seed).result["actions"]
    return _gain(t, gap, 1, 0) - _gain(t, gap, *(int(a) for a in actions))
