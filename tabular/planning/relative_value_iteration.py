r"""Relative value iteration: ``h <- h + (1 - lazy)(T h - h)``, less a constant in each end component.

The lazy step is the aperiodicity transformation (Schweitzer 1971): it has the same gains and biases, scaled, and no periods.
In a communicating component the span of :math:`d = Th - h` over the component's own pairs shrinks to zero, geometrically,
and :math:`\min d \le g \le \max d` all along (Odoni 1969); the span stops it. A model with several maximal end components is
solved in each of them at once; which one to go to is a total-reward model (``tabular.planning._gain_bounds``),
so that gains that differ between states are found and certified, too. Cost of an iteration: a backup.
Source: Puterman 1994, sections 8.5 and 9.5; Ashok, Chatterjee, Daca, Kretinsky and Meggendorfer 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular import _border as border
from tabular import _validate as check
from tabular._backups import Backups
from tabular.errors import ImproperModel
from tabular.mdp import MDP
from tabular.planning._average_finish import delivered, finish, of_no_use, reward_scale
from tabular.planning._finish import TOL, check_options
from tabular.planning._gain_bounds import Components, component_bounds, components, reached, undiscounted
from tabular.planning.average_solution import AverageSolution
from tabular.solution import Status

PATIENCE = 64
"""Iterations without a smaller span, and that of the size of rounding, before this is called the floor."""


@np.errstate(over="ignore", invalid="ignore")  # the status says it
def relative_value_iteration(
    mdp: MDP,
    *,
    tol: float = TOL,
    max_iter: int = 100_000,
    lazy: float = 0.25,
    h0: Any = None,
    threads: int | None = None,
    throw: bool = True,
    why: str = "",
) -> AverageSolution:
    """Optimal average reward by relative value iteration, for any number of end components.

    Parameters
    ----------
    mdp : MDP without endings; its discount is ignored.
    tol : bound asked of ``error_bound``, relative to the largest ``|R|``.  max_iter : backups allowed.
    lazy : weight of staying in the aperiodicity transformation, in [0, 1); 0 may never end where there are periods.
    h0 : (S,) start.  threads : of the compiled backups.  throw : False returns a solution in any case.

    Raises
    ------
    ModelError where a pair may end, NotConverged (with ``.solution``) at ``max_iter``, TypeError, ValueError.
    """
    border.expect(mdp, "relative_value_iteration", "MDP")
    check_options(tol, throw, threads, max_iter=max_iter)
    border.positive(lazy, "lazy", "below one", zero=True)
    if lazy >= 1:
        raise ValueError(f"lazy is {lazy}: expected a number from 0, below one")
    model = undiscounted(mdp)
    h = _start(h0, mdp.S)
    parts = components(model)
    h, status, k = _loop(model, parts, h, 1.0 - lazy, tol, max_iter, threads)
    try:
        solution = finish(model, parts, _policy(model, parts, h), h, status, k, "relative value iteration", tol, why)
    except ImproperModel as error:
        of_no_use(error)
    return delivered(solution, throw, tol)


def _loop(
    model: MDP, parts: Components, h: np.ndarray, step: float, tol: float, max_iter: int, threads: int | None
) -> tuple[np.ndarray, Status, int]:
    """Lazy backups inside the components until each component's span is below the tolerance."""
    inside = parts.inside | (
        model.mask & (parts.label < 0)[:, None]
    )  # others do what they like: nothing depends on them
    b = Backups(model._with(mask=inside, rewards=np.where(inside, model.rewards, 0.0)), threads=threads)
    states = np.argsort(parts.label, kind="stable")
    states = states[parts.label[states] >= 0]
    owner = parts.label[states]
    start = np.searchsorted(owner, np.arange(parts.number))
    best, stale, scale = np.inf, 0, reward_scale(b)
    for k in range(1, max_iter + 1):
        d = (b.backup(h)[1] - h)[states]
        low, high = np.minimum.reduceat(d, start), np.maximum.reduceat(d, start)
        span = float((high - low).max())
        if not np.isfinite(span):
            return np.zeros(model.S), Status.NONFINITE, k
        if span <= 0.25 * tol * scale:
            return h, Status.CONVERGED, k
        stale = 0 if span < best else stale + 1
        best = min(best, span)
        if stale >= PATIENCE and span <= 8 * b.noise(max(scale, float(np.abs(h).max()))):
            return h, Status.ROUNDING_FLOOR, k
        moved = h[states] + step * (d - 0.5 * (low + high)[owner])
        h = np.zeros(model.S)
        h[states] = moved
    return h, Status.MAX_ITER, max_iter


def _policy(model: MDP, parts: Components, h: np.ndarray) -> np.ndarray:
    """(S,) actions: the maximiser at ``h`` where staying in a component is best, else the way to where it is."""
    # Outside the components any action will do where none leads to more: what a policy does for ever is in one of them.
    stay = np.where(parts.inside | (model.mask & (parts.label < 0)[:, None]), Backups(model).q(h), -np.inf).argmax(
        axis=1
    )
    low, high = component_bounds(model, h, parts)
    going = reached(model, model.mask, parts, 0.5 * low + 0.5 * high)
    if going.pi is None:
        return stay
    stops = np.zeros(parts.number, dtype=bool)
    stops[parts.label[(going.pi[:, -1] > 0.5) & (parts.label >= 0)]] = True
    settled = (parts.label >= 0) & stops[parts.label]
    return np.where(settled, stay, going.pi[:, :-1].argmax(axis=1))


def _start(h0: Any, S: int) -> np.ndarray:
    if h0 is None:
        return np.zeros(S)
    h = check.float_array(h0, "h0")
    if h.shape != (S,):
        check.fail(f"h0 has shape {h.shape}: expected ({S},)")
    check.check_finite(h, "h0")
    return h
