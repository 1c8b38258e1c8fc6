"""foundations: error of value, modified policy and policy iteration, and of their soft forms, with certified bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each, headroom, legend, outer, panels
from figures.table import Table
from tabular import MDP, Shannon, backup, evaluate_policy, greedy, solve
from tabular.certificates import certify, refine
from tabular.instances import garnet
from tabular.operators import transition_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Errors against iterations, with certified bounds"
METHODS = ("value iteration", "modified policy iteration", "policy iteration")
QUICK: dict[str, Any] = {"points": 40}
SECONDS = {"quick": 5.0, "paper": 15.0}


def compute(
    *,
    S: int = 20,
    A: int = 5,
    gamma: float = 0.9,
    taus: Sequence[float] = (0.0, 0.1),
    K: int = 500,
    sweeps: int = 5,
    points: int = 120,
    seed: int = 0,
) -> Table:
    r"""Columns ``tau``, ``method``, ``k``, ``error`` :math:`\|V_k - V^*_\tau\|_\infty`, ``bound``, the certified one
    that floats alone have, and ``floor``, half the distance of neighbouring floats at the largest value. In units of
    reward.

    One Garnet, from V = 0; temperature 0 is the plain maximum. The reference is known to about thirty digits
    (``certificates.refine``). ``modified policy iteration`` evaluates by ``sweeps`` backups after each improvement.
    Recorded at ``points`` iterations in geometric progression, and at all of the first; a method ends when its values
    change by no more than rounding.
    """
    mdp, rows = garnet(S, A, gamma=(gamma,)).member(0, seed), []
    kept = set(np.round(np.geomspace(1, K, points)).astype(int).tolist())
    for tau in taus:
        regularizer = Shannon(tau) if tau else None
        high, low, unknown = refine(mdp, solve(mdp, regularizer=regularizer))
        floor = float(np.spacing(np.abs(high).max())) / 2 + float(unknown.max())
        for method in METHODS:
            V, step = np.zeros(S), _step(mdp, regularizer, method, sweeps)
            for k in range(1, K + 1):
                V, last = step(V), V
                ended = np.abs(V - last).max() <= 4 * np.spacing(np.abs(V).max())
                if k in kept or ended:
                    c = certify(mdp, V, regularizer, precision="double")["V - V*"]
                    bound = float(max(np.abs(c.lower).max(), np.abs(c.upper).max()))
                    rows.append((tau, method, k, float(np.abs((V - high) - low).max()), bound, floor))
                if ended:
                    break
    names = ("tau", "method", "k", "error", "bound", "floor")
    return Table.of_rows(names, rows, S=S, A=A, gamma=gamma, sweeps=sweeps, seed=seed)


def _step(mdp: MDP, regularizer: Any, method: str, sweeps: int) -> Callable[[np.ndarray], np.ndarray]:
    """One iteration, from values to values."""

    def improved(V: np.ndarray) -> np.ndarray:
        return greedy(mdp, V, regularizer)[0]

    def modified(V: np.ndarray) -> np.ndarray:
        TV = backup(mdp, V, regularizer)
        P = mdp.gamma * np.asarray(transition_matrix(mdp, improved(V)))
        change = TV - V  # and T_pi(V + x) = TV + gamma P_pi x
        for _ in range(sweeps):
            V, change = V + change, P @ change
        return V + change

    return {
        "value iteration": lambda V: backup(mdp, V, regularizer),
        "modified policy iteration": modified,
        "policy iteration": lambda V: evaluate_policy(mdp, improved(V), regularizer),
    }[method]


def draw(table: Table, style: Style) -> Figure:
    """A panel for each temperature; between a curve and the edge of its band is what the certificate gives away."""
    taus = each(table.columns["tau"])
    fig, axes = panels(style, len(taus), 0.75, sharey=True)
    for ax, tau in zip(axes, taus, strict=True):
        for i, method in enumerate(METHODS):
            c = table.where(tau=tau, method=method).columns
            shown = np.maximum(c["error"], c["floor"])
            style.band(ax, c["k"], shown, np.maximum(c["bound"], shown), i)
            ax.plot(c["k"], c["bound"], color=style.palette[i], linewidth=0.5)
            style.errors(ax, c["k"], c["error"], c["floor"], i, label=method)
        ax.set_xscale("log")
        ax.set_title(rf"soft, $\tau = {tau:g}$" if tau else "plain maximum")
    headroom(axes)
    outer(axes, x="iteration $k$", y=r"$\|V_k - V^*_\tau\|_\infty$")
    legend(style, fig, axes)
    return fig


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    floor = float(table.columns["floor"].max())
    soft = ", ".join(f"{t:g}" for t in each(table.columns["tau"]) if t)
    return (
        r"Error $\|V_k - V^*_\tau\|_\infty$ (sup norm, units of reward) against iterations, with the plain maximum "
        "(temperature 0) and at the "
        rf"temperature $\tau$ = {soft} (entropy in nats). One Garnet with {p['S']} states, {p['A']} actions, "
        f"discount {p['gamma']:g} (seed "
        f"{p['seed']}), from V = 0; modified policy iteration evaluates by {p['sweeps']} backups; an iteration of "
        "policy iteration is a linear "
        "system. The reference has thirty digits. Upper edge of each band: the bound certified in floats alone, "
        "rounding included; it holds for "
        f"certain, not with some probability. Hatched: below {floor:.1e}, half the distance of neighbouring "
        "floats at the largest value; what is "
        "at or below it, zeros included, stands on it, hollow."
    )
