"""foundations: the polytope of value functions of two states, and the ways through it of three iterations.

After Dadashi, Taiga, Le Roux, Schuurmans and Bellemare (2019), The value function polytope in reinforcement learning: the values
of all policies of a finite MDP are a polytope, perhaps not convex; those of policies that differ in one state lie on a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, legend, listed, outer, panels
from figures.table import Table
from tabular import KL, MDP, Shannon, evaluate_policy, greedy, q_values, solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "The polytope of value functions, and three ways through it"
STARTS = (((0.94, 0.03, 0.03), (0.94, 0.03, 0.03)), ((0.03, 0.94, 0.03), (0.1, 0.8, 0.1)))
"""Policies, state by state."""
DOUBLED = (0, *(2**i for i in range(20)))
"""Steps of the natural policy gradient that have a marker."""
QUICK: dict[str, Any] = {}
SECONDS = {"quick": 2.0, "paper": 2.0}


def two_states() -> MDP:
    """Two states, three actions, discount 9/10."""
    stays = np.array([[0.6, 0.1, 0.95], [0.15, 0.05, 0.95]])  # probabilities of state 0
    return MDP(np.stack([stays, 1.0 - stays], axis=-1), np.array([[-0.4, 0.5, 1.0], [0.6, -0.4, 0.2]]), 0.9)


def compute(
    *,
    starts: Sequence[Sequence[Sequence[float]]] = STARTS,
    taus: Sequence[float] = (0.05, 0.5),
    etas: Sequence[float] = (0.5, 4.0),
    K: int = 200,
) -> Table:
    r"""Columns ``kind``, ``parameter``, ``start``, ``k``, ``V0`` and ``V1``: values of the two states, in units of reward.

    ``cell``: corners of the values of the policies that use two actions in each state; their union is the polytope, since values of
    policies that agree in all states but one lie on a segment whose ends take one action there. ``policy iteration``; ``soft
    policy iteration`` at the temperatures ``taus``, of whose policies the plain values are given; ``optima``: plain values of the
    soft-optimal policies for rising temperatures; ``natural policy gradient`` with softmax policies,
    :math:`\pi_{k+1} \propto \pi_k e^{\eta Q^{\pi_k}}`, for the steps ``etas``. Each start is a policy; nothing is drawn.
    """
    mdp, rows = two_states(), []
    pairs = list(combinations(range(mdp.A), 2))
    for i, ((a, b), (c, d)) in enumerate(product(pairs, pairs)):
        corners = [(a, c), (b, c), (b, d), (a, d), (a, c)]
        rows += [("cell", np.nan, i, k, *_value(mdp, np.array(actions))) for k, actions in enumerate(corners)]
    for i, start in enumerate(np.asarray(starts, dtype=np.float64)):
        rows += [("policy iteration", np.nan, i, k, *v) for k, v in enumerate(_hard(mdp, start, K))]
        for tau in taus:
            rows += [("soft policy iteration", tau, i, k, *v) for k, v in enumerate(_soft(mdp, start, tau, K))]
        for eta in etas:
            path = _natural(mdp, start, eta, K)
            rows += [("natural policy gradient", eta, i, k, *v) for k, v in enumerate(path)]
    for k, tau in enumerate(np.geomspace(0.01, 100.0, 61)):
        rows.append(("optima", tau, 0, k, *_value(mdp, solve(mdp, regularizer=Shannon(tau)).pi)))
    return Table.of_rows(("kind", "parameter", "start", "k", "V0", "V1"), rows, gamma=mdp.gamma, K=K)


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
    cells, optima = table.where(kind="cell"), table.where(kind="optima").columns
    for ax, (kind, letter) in zip(axes, kinds.items(), strict=True):
        for i in each(cells.columns["start"]):
            c = cells.where(start=i).columns
            ax.fill(c["V0"], c["V1"], facecolor="#DDDDDD", edgecolor="#DDDDDD", linewidth=0.8, zorder=0)
            ax.plot(c["V0"], c["V1"], color="#999999", linewidth=0.3, zorder=0.5)
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
                often = None if kind != "natural policy gradient" else [k for k in DOUBLED if k < len(c["k"])]
                ax.plot(c["V0"], c["V1"], label=label, markevery=often, **look)
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
        r"The values $V^\pi$ of all policies of an MDP with two states and three actions, discount "
        f"{p['gamma']:g}, in units of reward (a point is a pair of values: no norm), and the ways from two "
        "policies (circles) to the optimum (star). Thin lines: values of "
        "policies that mix two actions in one state and take one in the other. Policy iteration jumps between "
        "corners. Soft policy iteration, at the temperatures "
        rf"$\tau$ = {taus} (entropy in nats), ends at the soft-optimal policy, whose plain value is drawn; dotted: "
        "those of all temperatures. "
        rf"Natural policy gradient with softmax policies, $\pi_{{k+1}} \propto \pi_k \exp(\eta Q^{{\pi_k}})$, "
        rf"$\eta$ = {etas} (temperature 0), "
        rf"{p['K']} steps, with a marker at 1, 2, 4, 8, ... of them. Nothing is drawn at random: no seeds, no band."
    )
