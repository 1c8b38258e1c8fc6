r"""The largest concave utility of occupancies: conditional gradients, or Clarabel through cvxpy, with proved gaps.

The method of Frank and Wolfe (1956) needs no more than best answers: policies for the rewards that the utility's slope makes. Here
in its pairwise form (Lacoste-Julien and Jaggi 2015): mass moves from the worst policy in the mixture to the best answer, by an
exact line search. The upper bound of any slope y is :math:`\rho V^*_y + F(y)` (``tabular.programs.utilities``). What is returned
is no mixture: the Markov policy of its occupancies has the same visits.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular import _border as border
from tabular.programs._convex import solved
from tabular.programs._models import setting_of
from tabular.programs._settings import Setting
from tabular.programs.solution import GAP, ProgramSolution, bounds, delivered, judged
from tabular.programs.utilities import Features, Utility
from tabular.reference.enclosure_ops import EnclosureOps
from tabular.solution import Status

METHODS = ("frank_wolfe", "cvxpy")
HALVINGS = 60
REFERENCE = "conjugate of a concave utility, weak duality (foundations.C41); rounding: enclosures"


def concave_program(
    model: Any,
    utility: Utility,
    rho: Any = None,
    *,
    method: str = "frank_wolfe",
    tol: float = 1e-5,
    max_iter: int = 10_000,
    throw: bool = True,
) -> ProgramSolution:
    r"""The policy of largest utility :math:`f(x)`, x a linear image of its visits.

    Parameters
    ----------
    model : MDP with ``gamma < 1``, or FiniteHorizonMDP; its rewards play no part.
    utility : ``VisitationEntropy``, ``TargetDivergence``, ``Fairness``, or one's own: see ``Utility``.
    rho : (S,), the model's if None.  method : "frank_wolfe", whose steps are a best answer each, or "cvxpy", an interior point.
    tol : largest gap, in the unit of the utility.  max_iter : of best answers.  throw : raise NotConverged above ``tol``.

    Returns
    -------
    ProgramSolution; ``multipliers`` is the slope y that proves the upper bound, ``V`` the optimal values for its rewards;
    ``history["gap"]``: before each step, in floats; ``info["features"]`` is x.

    Raises
    ------
    ModelError where the utility does not fit the model, NotConverged, TypeError, ValueError. Cost: a step takes some linear systems
    of S equations (a horizon: one backward and one forward pass); the bound at the end is one enclosed system, O(S^3).
    """
    setting = setting_of(model, "concave_program", rho)
    if not isinstance(utility, Utility) or isinstance(utility, type):
        raise TypeError(
            f"{utility!r} is no utility: expected the methods features, value, gradient, conjugate and expression"
        )
    border.positive(tol, "tol", "in the unit of the utility")
    border.count(max_iter, "max_iter")
    border.flag(throw, "throw")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}: expected one of {METHODS}")
    if setting.gamma == 1 and len(setting.shape) == 2:
        raise ValueError("gamma = 1: utilities are of discounted visits, or of a horizon")
    features = utility.features(setting)
    point = (_conditional_gradients if method == METHODS[0] else _interior_point)(
        setting, utility, features, tol, max_iter
    )
    pi = setting.policy(point.mu, setting.mask / setting.mask.sum(axis=-1, keepdims=True))
    ops = EnclosureOps()
    x = features.enclosed(ops, setting.enclosed_visits(ops, pi))
    own = ops.bounds(utility.value(ops, x))
    most, V, slope = min(((*upper(setting, utility, features, y), y) for y in point.slopes), key=lambda found: found[0])
    certificates = bounds((float(own[0]), float(own[1])), most, REFERENCE)
    status = judged(certificates[GAP].upper, tol, method == METHODS[0] and point.iterations >= max_iter)
    if not np.isfinite(certificates[GAP].upper):
        status = Status.UNCERTIFIED
    mu = setting.visits(pi)
    solution = ProgramSolution(
        type(utility).__name__, pi, mu, V, slope, certificates, status,
        "pairwise conditional gradients" if method == METHODS[0] else "interior points (Clarabel)", point.iterations,
        {"gap": np.array(point.gaps)}, {"features": features.of(mu), "proposed": point.value},
    )  # fmt: skip
    return delivered(solution, throw, tol)


def upper(setting: Setting, utility: Any, features: Features, y: np.ndarray) -> tuple[float, np.ndarray]:
    r"""A proved bound :math:`\rho V^*_y + F(y)` on the utility of every policy, for any slope y (k,), and the values."""
    most, V = setting.most(setting.priced([(features.scale, _reward(setting, features, y))], own=False))
    ops = EnclosureOps()
    rest = ops.bounds(utility.conjugate(ops, ops.array(y, 1)))[1]
    return float(np.nextafter(most + float(rest), np.inf)), V


def _reward(setting: Setting, features: Features, y: np.ndarray) -> np.ndarray:
    """What the slope pays for each pair, exactly, but for the scale."""
    columns = features.rows.tocsc()
    count = np.diff(columns.indptr)
    if (count <= 1).all() and (columns.data == 1).all():
        out = np.zeros(len(count))
        out[count == 1] = y[columns.indices]
        out = out.reshape(setting.shape)
        return np.where(setting.mask, out, 0.0)
    exact = np.full(len(count), Fraction(0), dtype=object)
    slope = [Fraction(v) for v in y.tolist()]
    for j in setting.pairs.tolist():
        at = range(int(columns.indptr[j]), int(columns.indptr[j + 1]))
        exact[j] = sum((slope[columns.indices[i]] * Fraction(float(columns.data[i])) for i in at), Fraction(0))
    return exact.reshape(setting.shape)


class Point(NamedTuple):
    """Occupancies, slopes that may have the least upper bound, the utility in floats, gaps met, and steps."""

    mu: np.ndarray
    slopes: list[np.ndarray]
    value: float
    gaps: list[float]
    iterations: int


def _interior_point(setting: Setting, utility: Any, features: Features, tol: float, max_iter: int) -> Point:
    rows = float(features.scale) * features.rows[:, setting.pairs]

    def objective(cp: Any, x: Any) -> tuple[Any, list[Any]]:
        z = cp.Variable(rows.shape[0])
        return utility.expression(cp, z), [z == rows @ x]  # whose multipliers are the slope, to more digits than z has

    found = solved(setting, objective)
    mu = setting.spread(found.x)
    slopes = [np.asarray(found.others), utility.gradient(features.of(mu))]
    return Point(mu, [y for y in slopes if np.isfinite(y).all()], found.value, [], found.iterations)


class Mixture:
    """Occupancies as a mixture of policies: weights, visits and features of each."""

    def __init__(self, mu: np.ndarray, x: np.ndarray) -> None:
        self.weights, self.mus, self.xs, self.names = [1.0], [mu], [x], [b""]

    def add(self, name: bytes, mu: np.ndarray, x: np.ndarray) -> int:
        """The place of a policy, with weight zero if it is new."""
        if name not in self.names:
            self.weights.append(0.0)
            self.mus.append(mu)
            self.xs.append(x)
            self.names.append(name)
        return self.names.index(name)

    def move(self, source: int, target: int, share: float) -> None:
        """Weight from one policy to another; a policy without weight is forgotten."""
        self.weights[source] -= share
        self.weights[target] += share
        if self.weights[source] <= 0.0:
            for items in (self.weights, self.mus, self.xs, self.names):
                del items[source]

    def mean(self, items: list[np.ndarray]) -> np.ndarray:
        """Weighted, by weights that sum to one."""
        w = np.array(self.weights)
        return np.asarray(np.tensordot(w / w.sum(), np.stack(items), axes=1))


def _conditional_gradients(setting: Setting, utility: Any, features: Features, tol: float, max_iter: int) -> Point:
    from tabular.reference.numpy_ops import NumpyOps

    ops = NumpyOps()
    mu = setting.visits(setting.mask / setting.mask.sum(axis=-1, keepdims=True))
    mixture, actions = Mixture(mu, features.of(mu)), None
    x, least, slope, gaps = mixture.xs[0], np.inf, utility.gradient(mixture.xs[0]), []
    for k in range(max_iter + 1):
        y = utility.gradient(x)
        actions = setting.answer((float(features.scale) * (features.rows.T @ y)).reshape(setting.shape), actions)
        answer = setting.visits(setting.pure(actions))
        z = features.of(answer)
        gaps.append(float(y @ (z - x)))
        with np.errstate(all="ignore"):
            top = float(y @ z) + float(ops.midpoint(utility.conjugate(ops, ops.array(y, 1))))
        if top < least:
            least, slope = top, y
        if gaps[-1] <= tol / 4.0 or k == max_iter:
            break
        target = mixture.add(actions.tobytes(), answer, z)
        source = int(np.argmin([y @ v for v in mixture.xs]))
        if source == target:
            break
        share = _searched(utility, x, z - mixture.xs[source], mixture.weights[source])
        if share == 0.0:
            break
        mixture.move(source, target, share)
        x = mixture.mean(mixture.xs)
    with np.errstate(all="ignore"):
        value = float(ops.midpoint(utility.value(ops, ops.array(x, 1))))
    return Point(mixture.mean(mixture.mus), [slope], value, gaps, k)


def _searched(utility: Any, x: np.ndarray, d: np.ndarray, most: float) -> float:
    """The step up to ``most`` along d where the slope vanishes: by halving."""
    low, high = 0.0, most
    if float(utility.gradient(x + most * d) @ d) >= 0:
        return most
    for _ in range(HALVINGS):
        t = (low + high) / 2.0
        low, high = (t, high) if float(utility.gradient(x + t * d) @ d) >= 0 else (low, t)
    return low
