"""foundations: the polytope of value functions of two states, and the ways through it of three iterations.

After Dadashi, Taiga, Le Roux, Schuurmans and Bellemare (2019), The value function polytope in reinforcement learning: the values
of all policies of a finite MDP are a polytope, perhaps not convex; those of policies that differ in one state lie on a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, legend, listed, outer, panels
from figures.table import Table
from tabular import KL, MDP, Shannon, evaluate_policy, greedy, q_values, solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "The polytope of value functions, and three ways through it"
STARTS = ((0.1, 0.9), (0.95, 0.15))
"""Probabilities of the first action in either state."""
QUICK: dict[str, Any] = {}


def two_states() -> MDP:
    """Two states, two actions, discount 9/10."""
    P = np.array([[[0.7, 0.3], [0.99, 0.01]], [[0.2, 0.8], [0.99, 0.01]]])
    return MDP(P, np.array([[-0.45, -0.1], [0.5, 0.5]]), 0.9)


def compute(
    *,
    starts: Sequence[tuple[float, float]] = STARTS,
    taus: Sequence[float] = (0.05, 0.5),
    etas: Sequence[float] = (0.5, 4.0),
    K: int = 200,
    lines: int = 9,
) -> Table:
    r"""Columns ``kind``, ``parameter``, ``start``, ``k``, ``V0`` and ``V1``: values of the two states, in units of reward.

    ``edge``: the values of policies whose choice in one state is certain, as a closed polygon; ``line``: ends of the
    segments on which one probability is fixed (``parameter``; ``start`` is its state). ``policy iteration``; ``soft
    policy iteration`` at the temperatures ``taus``, of whose policies the plain values are given; ``optima``: plain values of the
    soft-optimal policies for rising temperatures; ``natural policy gradient`` with softmax policies,
    :math:`\pi_{k+1} \propto \pi_k e^{\eta Q^{\pi_k}}`, for the steps ``etas``. Each start is a policy; nothing is drawn.
    """
    mdp, rows = two_states(), []
    corners = [(1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]
    rows += [("edge", np.nan, 0, k, *_value(mdp, _policy(c))) for k, c in enumerate(corners)]
    for x in np.linspace(0.0, 1.0, lines):
        for s in range(2):
            ends = [(x, y) if s == 0 else (y, x) for y in (0.0, 1.0)]
            rows += [("line", x, s, k, *_value(mdp, _policy(end))) for k, end in enumerate(ends)]
    for i, start in enumerate(starts):
        rows += [("policy iteration", np.nan, i, k, *v) for k, v in enumerate(_hard(mdp, _policy(start), K))]
        for tau in taus:
            rows += [("soft policy iteration", tau, i, k, *v) for k, v in enumerate(_soft(mdp, _policy(start), tau, K))]
        for eta in etas:
            path = _natural(mdp, _policy(start), eta, K)
            rows += [("natural policy gradient", eta, i, k, *v) for k, v in enumerate(path)]
    for k, tau in enumerate(np.geomspace(0.01, 100.0, 61)):
        rows.append(("optima", tau, 0, k, *_value(mdp, solve(mdp, regularizer=Shannon(tau)).pi)))
    return Table.of_rows(("kind", "parameter", "start", "k", "V0", "V1"), rows, gamma=mdp.gamma, K=K)


def _policy(first: tuple[float, float]) -> np.ndarray:
    p = np.array(first)
    return np.stack([p, 1.0 - p], axis=1)


def _value(mdp: MDP, pi: np.ndarray) -> tuple[float, float]:
    V = evaluate_policy(mdp, pi)
    return float(V[0]), float(V[1])


def _hard(mdp: MDP, pi: np.ndarray, K: int) -> list[tuple[float, float]]:
    path = [_value(mdp, pi)]
    for _ in range(K):
        pi, last = greedy(mdp, evaluate_policy(mdp, pi))[0], pi
        if np.array_equal(pi, last):
            break
        path.append(_value(mdp, pi))
    return path


def _soft(mdp: MDP, pi: np.ndarray, tau: float, K: int) -> list[tuple[float, float]]:
    path = [_value(mdp, pi)]
    for _ in range(K):
        pi, last = greedy(mdp, evaluate_policy(mdp, pi, Shannon(tau)), Shannon(tau))[0], pi
        if np.abs(pi - last).max() < 1e-12:
            break
        path.append(_value(mdp, pi))
    return path


def _natural(mdp: MDP, pi: np.ndarray, eta: float, K: int) -> list[tuple[float, float]]:
    path = [_value(mdp, pi)]
    for _ in range(K):
        pi = greedy(mdp, q_values(mdp, evaluate_policy(mdp, pi)), KL(1.0 / eta, pi))[0]
        path.append(_value(mdp, pi))
    return path


def draw(table: Table, style: Style) -> Figure:
    """A panel for each iteration; the same polytope in all."""
    kinds = {"policy iteration": "", "soft policy iteration": r"\tau", "natural policy gradient": r"\eta"}
    fig, axes = panels(style, len(kinds), 1.05, sharex=True, sharey=True)
    edge, lines, optima = (table.where(kind=kind).columns for kind in ("edge", "line", "optima"))
    for ax, (kind, letter) in zip(axes, kinds.items(), strict=True):
        ax.fill(edge["V0"], edge["V1"], facecolor="#EEEEEE", edgecolor="#666666", linewidth=0.7, zorder=0)
        for k in range(0, len(lines["k"]), 2):
            ax.plot(lines["V0"][k : k + 2], lines["V1"][k : k + 2], color="white", linewidth=0.6, zorder=0.5)
        if kind == "soft policy iteration":
            ax.plot(
                optima["V0"],
                optima["V1"],
                color="#666666",
                linewidth=0.9,
                linestyle=(0, (1, 1)),
                label="soft optima, all temperatures",
            )
        part = table.where(kind=kind)
        for j, parameter in enumerate(each(part.columns["parameter"]) if letter else [None]):
            chosen = part if parameter is None else part.where(parameter=parameter)
            for start in each(part.columns["start"]):
                c = chosen.where(start=start).columns
                i = {"": 2, r"\tau": 0, r"\eta": 3}[letter] + (j if letter else 0)
                look = style.line(i) | {"markersize": 2.4, "linewidth": 0.9, "linestyle": style.dashes[j]}
                label = (f"${letter} = {parameter:g}$" if letter else None) if start == 0 else None
                ax.plot(c["V0"], c["V1"], label=label, **look)
                ax.plot(
                    c["V0"][0], c["V1"][0], marker="o", markersize=5, markerfacecolor="white", color="black", zorder=3
                )
        best = table.where(kind="policy iteration", start=0).columns
        ax.plot(best["V0"][-1], best["V1"][-1], marker="*", markersize=8, color="black", linestyle="none", zorder=4)
        ax.set_title(kind)
    outer(axes, x=r"$V^\pi(s_0)$", y=r"$V^\pi(s_1)$")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    taus, etas = (
        listed(each(table.where(kind=k).columns["parameter"]))
        for k in ("soft policy iteration", "natural policy gradient")
    )
    return (
        r"The values $V^\pi$ of all policies of an MDP with two states and two actions, discount "
        rf"{p['gamma']:g}, in units of reward (a point is a pair of values: no norm), and the ways from two policies (circles) to the optimum (star). White lines: one "
        "probability is fixed. Policy iteration jumps between corners. Soft policy iteration, at the temperatures "
        rf"$\tau$ = {taus} (entropy in nats), ends at the soft-optimal policy, whose plain value is drawn; dotted: those of all temperatures. "
        rf"Natural policy gradient with softmax policies, $\pi_{{k+1}} \propto \pi_k \exp(\eta Q^{{\pi_k}})$, $\eta$ = {etas} (temperature 0), "
        rf"{p['K']} steps. Nothing is drawn at random: no seeds, no band."
    )
