r"""The iterations behind the solvers, and when they stop. Arrays and ``Backups`` in, an ``Iterate`` out.

With :math:`d = TV - V` and row masses :math:`m` (``1 - end``) in :math:`[m_-, m_+]`, monotonicity of
:math:`T` and :math:`T(V + c) \ge TV + \gamma m c` give the bracket of Porteus (1971)

.. math:: TV + \beta(\min d) \le V^* \le TV + \beta(\max d), \quad \beta(x) = \gamma m x / (1 - \gamma m),

with :math:`m = m_-` on the side where ``x`` has the sign that a small mass makes safe, else :math:`m_+`. It
holds for every regulariser and for every ``V``. MacQueen's bracket is the case :math:`m = 1`, and wrong where
anything ends: a step that loses one everywhere has :math:`\min d = \max d`, and would be extended for ever.

Where all masses are equal the middle of the bracket is added to ``V`` at the end, and what counts is half its
width (the span); elsewhere a shift would spoil states that end, and what counts is its larger side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tabular._backups import DENSE_SOLVE, Backups
from tabular._soft import improved_rows
from tabular.solution import Status

PATIENCE = 16
"""Iterations without a smaller change, and that of the size of rounding, before this is called the floor."""


ALONE = 10.0
"""What a backup must divide the change by, for a copy of a mixed policy's dense rows not to be worth its pass over the model."""


FAR = 1.0 / 30
"""What sweeps leave of a change while the next policy will be another one."""
SOFT = 0.1
"""The same under a regulariser, at most."""


class Backup(NamedTuple):
    """``TV`` (S,) and ``Q`` (S, A), compiled, of values of at most ``size`` to which a constant was added since.

    Without regulariser maximisers (S,) before that stand for ``Q``, which is None.
    """

    Q: np.ndarray | None
    TV: np.ndarray
    size: float
    actions: np.ndarray | None


class Iterate(NamedTuple):
    """``V`` (S,), why and when the loop stopped, the actions (S,) of hard policy iteration, and the backup of ``V`` where
    it is worth keeping.
    """

    V: np.ndarray
    status: Status
    iterations: int
    actions: np.ndarray | None = None
    backup: Backup | None = None


def bracket(b: Backups, low: float, high: float) -> tuple[float, float]:
    """``lo <= V* - TV <= hi`` from the least and largest component of ``TV - V``; perhaps infinite."""

    def extend(x: float, mass: float) -> float:
        g = b.gamma * mass
        if x == 0.0 or g == 0.0:
            return 0.0
        return x * (g / (1.0 - g)) if g < 1.0 else x * np.inf

    return extend(low, b.mass_min if low > 0 else b.mass_max), extend(high, b.mass_max if high > 0 else b.mass_min)


class Stop:
    """Decides after each backup whether to go on.

    ``tol`` is relative to the largest of the rewards and the values. With ``gamma = 1`` there is no bracket:
    the error is estimated from the rate at which the changes shrink, and the certificate decides afterwards.

    Attributes
    ----------
    shift : what to add to ``TV`` at the end.  keeps : whether ``result`` returns ``V`` and its backup.
    needed : the part of the change that would be small enough.
    middle : of the last backup where all masses are equal, else 0: without it values are small and keep their digits.
    size : size of the numbers in the last backup.  change : what the error is proportional to.
    """

    def __init__(self, b: Backups, tol: float, patience: int = PATIENCE) -> None:
        self.b, self.tol, self.patience = b, tol, patience
        self.bounded = b.gamma * b.mass_max < 1.0
        self.by_span = self.bounded and b.equal_mass
        self.keeps = self.bounded and b.large and b.gamma > 0.5
        self.shift = self.size = self.middle = 0.0
        self.change, self.needed = np.inf, 0.0
        self._best, self._stale = np.inf, 0
        self._changes: list[float] = []

    def centred(self, change: np.ndarray) -> np.ndarray:
        """A change of ``V``, overwritten, without its middle where all masses are equal: ``shift`` makes up for constants
        at the end.

        So ``V`` stays small and keeps its digits, however near to one the discount is.
        """
        if self.by_span:
            change -= 0.5 * change.min() + 0.5 * change.max()
        return change

    def __call__(self, TV: np.ndarray, low: float, high: float) -> Status | None:
        b = self.b
        if not (np.isfinite(low) and np.isfinite(high)):
            return Status.NONFINITE
        self.change = change = high - low if self.by_span else max(-low, high)
        if self.bounded:
            lo, hi = bracket(b, low, high)
            self.shift = 0.5 * lo + 0.5 * hi if self.by_span else 0.0
            gap = 0.5 * hi - 0.5 * lo if self.by_span else max(-lo, hi)
        else:
            gap = self._estimate(change)
        least, most = float(TV.min()), float(TV.max())
        self.middle = 0.5 * least + 0.5 * most if self.by_span else 0.0
        scale = max(b.reward_scale, abs(least + self.shift), abs(most + self.shift))
        if not np.isfinite(scale):
            return Status.NONFINITE
        gap = gap + change if self.keeps and not self.by_span else gap
        if gap <= 0.5 * self.tol * scale:
            return Status.CONVERGED
        self.needed = 0.4 * self.tol * scale / gap
        self._stale = 0 if change < self._best else self._stale + 1
        self._best = min(self._best, change)
        self.size = max(b.reward_scale, -least, most)
        if self._stale >= self.patience and change <= 8 * b.noise(self.size):
            return Status.ROUNDING_FLOOR
        return None

    def result(self, V: np.ndarray, found: np.ndarray, TV: np.ndarray, status: Status, k: int) -> Iterate:
        """What the loop returns: ``TV``; of a large model ``V`` with its backup, which saves another one. Both are shifted, in
        place. ``found`` are action values or, without regulariser, maximisers.

        Adding ``c`` to ``V`` adds ``gamma c`` to ``Q`` and ``TV``: where masses are equal and not one, nothing is kept. The
        error of ``V`` is that of ``TV`` by ``1 / gamma``, or, by the larger side, at most ``change`` more.
        """
        if not self.keeps or status is Status.NONFINITE or (self.by_span and self.b.mass_max != 1.0):
            return Iterate(TV + self.shift, status, k)
        c = self.shift / self.b.gamma
        size = max(float(V.max()), -float(V.min())) + abs(c)
        Q, actions = (None, found) if self.b.hard else (found, None)
        for x, by in ((V, c), (TV, self.shift), (Q, self.shift)):
            if x is not None:
                x += by
        return Iterate(V, status, k, backup=Backup(Q, TV, size, actions))

    def _estimate(self, change: float) -> float:
        self._changes = [*self._changes[-10:], change]
        first, n = self._changes[0], len(self._changes) - 1
        if change == 0.0:
            return 0.0
        if n == 0 or not 0.0 < change < first:
            return np.inf
        rate = (change / first) ** (1.0 / n)
        return change * rate / (1.0 - rate) if rate < 1.0 else np.inf


def reduction(b: Backups, stop: Stop, before: float, left: float) -> float:
    """To what part of the last change sweeps are worth while, where the change before was ``before`` and sweeps left ``left``.

    Without regulariser ``FAR``; or, where the policy hardly changed (the last backup changed no more than was left), the part
    that is small enough to end. Under a regulariser sweeps are Newton's steps: what these miss is quadratic in the change, by a
    factor that the last one shows. Where sweeps are cheap, what is small enough: while the policy changes, for a backup's time.
    """
    needed = min(stop.needed, FAR)
    if b.hard:
        return needed if stop.change <= left else FAR
    if b.mixes_dense:
        return needed
    missed = max(stop.change - left, 0.0) / before * (stop.change / before) if before < np.inf else SOFT
    return min(max(missed, needed), SOFT)


def improved(
    b: Backups, V: np.ndarray, mix: bool = False, rough: bool = False
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """What ``Stop.result`` wants: without regulariser ``Backups.maxima``, else ``Backups.backup``."""
    return b.maxima(V) if b.hard else b.backup(V, mix, rough)


@np.errstate(over="ignore", invalid="ignore")  # ``Stop`` sees it
def value_loop(b: Backups, V: np.ndarray, tol: float, max_iter: int) -> Iterate:
    """``V <- TV``."""
    stop = Stop(b, tol)
    for k in range(1, max_iter + 1):
        found, TV, low, high = improved(b, V)
        if status := stop(TV, low, high):
            return stop.result(V, found, TV, status, k)
        V, last = TV - stop.middle if stop.by_span else TV, V
    return stop.result(last, found, TV, Status.MAX_ITER, max_iter)


@np.errstate(over="ignore", invalid="ignore")
def modified_loop(b: Backups, V: np.ndarray, tol: float, max_iter: int, sweeps: int) -> Iterate:
    """A backup, then up to ``sweeps`` backups of its policy, until they have shrunk the change as ``reduction`` says.

    Dense rows of a policy that mixes stay in use while the change shrinks by ``FAR``; where forming them costs a pass over the
    model, there are none while backups alone shrink the change tenfold, and where it does not, the first ones are formed by a
    rough backup where constants do not matter.
    """
    stop, rows, left, before, mix = Stop(b, tol), None, 0.0, np.inf, True
    along = b.mixes_dense and b.soft is not None
    alone = b.mixes_dense and not along
    for k in range(1, max_iter + 1):
        rough = along and rows is None and stop.by_span and k == 2 < max_iter
        found, TV, low, high = improved(b, V, mix, rough)
        if (status := stop(TV, low, high)) and not rough:
            return stop.result(V, found, TV, status, k)
        step, last = stop.centred(TV - V), V
        V = TV - stop.middle
        alone = alone and stop.change <= before / ALONE
        rows = None if alone else improved_rows(b, found, rows)
        mix = rows is None or stop.change > before * FAR
        if rows is not None:
            # T_pi V' = T V + gamma P_pi (V' - V), where pi is the maximiser at V
            most = min(sweeps, 2 * b.A) if b.mixes_dense and stop.change > left else sweeps
            left = rows.sweep(step, V, stop.change * reduction(b, stop, before, left), most, stop.by_span)
        before = stop.change
    return stop.result(last, found, TV, Status.MAX_ITER, max_iter)


@np.errstate(over="ignore", invalid="ignore")
def newton_loop(b: Backups, V: np.ndarray, tol: float, max_iter: int) -> Iterate:
    """Regularised policy iteration: ``V <- V + (I - gamma P_pi)^-1 (TV - V)``, with ``pi`` the maximiser at
    ``V``.

    That is ``V^pi``, since ``T_pi V = TV``, and Newton's step for ``TV = V``; its residual form keeps the
    digits. Where a step is cheap another one follows the one that met the tolerance, and the better of the
    two is returned: with quadratic convergence all digits of floats are the price of one step.
    """
    stop = Stop(b, tol, patience=2)
    met: tuple[float, Iterate] | None = None
    for k in range(1, max_iter + 1):
        Q, TV, low, high = b.backup(V)
        status = stop(TV, low, high)
        if status is None and b.gamma == 1.0 and max(-low, high) <= b.noise(stop.size):
            status = Status.ROUNDING_FLOOR
        if met is not None:
            better = status is not Status.NONFINITE and stop.change < met[0]
            return Iterate(TV + stop.shift, Status.CONVERGED, k) if better else met[1]
        if status is Status.CONVERGED and b.S <= DENSE_SOLVE and k < max_iter:
            met = stop.change, Iterate(TV + stop.shift, status, k)
        elif status:
            return Iterate(TV + stop.shift, status, k)
        try:
            V = V + stop.centred(b.solve(b.policy(Q)[0], stop.centred(TV - V)))
        except np.linalg.LinAlgError:
            return met[1] if met is not None else Iterate(V, Status.NONFINITE, k)
    return Iterate(TV + stop.shift, Status.MAX_ITER, max_iter)


@np.errstate(over="ignore", invalid="ignore")
def howard_loop(b: Backups, V: np.ndarray, actions: np.ndarray, max_iter: int) -> Iterate:
    """Policy iteration. An action is kept unless another one is better by more than rounding can feign.

    It ends at a policy that no action improves, or at one met before: then rounding has the last word, and
    there are finitely many policies.
    """
    states, seen, settled = np.arange(b.S), set(), False
    stop = Stop(b, 1.0)
    Q = b.q(V)
    for k in range(1, max_iter + 1):
        try:
            if b.solves_closely:
                V = b.solve(actions, b.mdp.rewards[states, actions])
            else:
                V = V + stop.centred(b.solve(actions, stop.centred(Q[states, actions] - V)))
        except np.linalg.LinAlgError:
            return Iterate(V, Status.NONFINITE, k, actions)
        Q = b.q(V)
        own, TV = Q[states, actions], Q.max(axis=1)
        left = own - V
        if not np.isfinite(left).all():
            return Iterate(V, Status.NONFINITE, k, actions)
        if settled and b.solves_closely:
            return Iterate(V, Status.CONVERGED, k, actions)
        if settled:  # one step of refinement for the policy that stays
            status = stop(TV, float((TV - V).min()), float((TV - V).max()))
            ok = status is not Status.NONFINITE
            return Iterate(TV + stop.shift, Status.CONVERGED if ok else Status.NONFINITE, k, actions)
        size = max(b.reward_scale, float(np.abs(own).max()))
        feigned = 2 * b.noise(size) + float(np.abs(stop.centred(left)).max())
        better = TV > own + feigned
        seen.add(actions.tobytes())
        new = np.where(better, Q.argmax(axis=1), actions)
        settled = not better.any() or new.tobytes() in seen
        actions = actions if settled else new
    return Iterate(TV + stop.shift, Status.MAX_ITER, max_iter, actions)


def zeros(b: Backups, V0: Any) -> np.ndarray:
    return np.zeros(b.S) if V0 is None else np.array(V0, dtype=np.float64)
