r"""Concave utilities of occupancies: :math:`f(x)`, :math:`x` a linear image of the visits.

A utility is a ``NamedTuple`` of its parameters with the methods of ``Utility``. What proves bounds is its conjugate

.. math:: F(y) = \sup_x f(x) - \langle y, x \rangle, \qquad f(x) \le \langle y, x \rangle + F(y) \text{ for every } y,

so that :math:`f` of every policy is at most :math:`\rho V^*_{y} + F(y)`, with :math:`V^*_y` the optimal values for the rewards
that pay :math:`y` for the features. Formulas are over ``ops``, so that enclosures evaluate them.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from tabular import _validate as check
from tabular.programs._settings import Setting

STATES, PAIRS = "states", "pairs"


class Features(NamedTuple):
    """A linear image of visits: ``x = scale * rows @ mu``.

    ``rows`` : sparse (k, pairs), over all pairs laid end to end, entries exact floats.  scale : exact.
    """

    rows: Any
    scale: Fraction

    def of(self, mu: np.ndarray) -> np.ndarray:
        """(k,) in floats."""
        return np.asarray(float(self.scale) * (self.rows @ mu.ravel()))

    def enclosed(self, ops: Any, mu: Any) -> Any:
        """The same of enclosed visits, a ``Value`` over all pairs: row by row, so that zeros cost nothing."""
        rows = self.rows.tocsr()
        found = []
        for i in range(rows.shape[0]):
            at = slice(int(rows.indptr[i]), int(rows.indptr[i + 1]))
            found.append(ops.dot(ops.array(rows.data[at], 1), ops.take(mu, rows.indices[at])))
        return ops.constant(self.scale) * ops.stack(found)


@runtime_checkable
class Utility(Protocol):
    """What a utility offers. ``x``, ``y`` are (k,): ``Value``s where ``ops`` is an argument, else arrays of floats."""

    def features(self, setting: Setting) -> Features:
        """The linear image; ModelError where the utility does not fit the model."""

    def value(self, ops: Any, x: Any) -> Any:
        """f(x), a scalar."""

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """A supergradient of f at x, in floats: a proposal, of which nothing is claimed."""

    def conjugate(self, ops: Any, y: Any) -> Any:
        """F(y) = sup f(x) - <y, x> over all x that visits may have, or more of them: a scalar."""

    def expression(self, cp: Any, x: Any) -> Any:
        """f as an expression of cvxpy, the module ``cp``."""


class VisitationEntropy(NamedTuple):
    r"""Entropy, in nats, of the normalised visits of ``of``: "states" or "pairs". Over a horizon, steps are pooled.

    Needs a model without ends, so that all visits have one mass: ``augmented()`` makes the end a state. Source: maxent (Hazan et
    al. 2019); over a horizon, step by step: ``tabular.exploration.fast_entropy``.
    """

    of: str = STATES

    def features(self, setting: Setting) -> Features:
        return visited(setting, self.of)

    def value(self, ops: Any, x: Any) -> Any:
        return -ops.sum(ops.xlogx(x))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return -1.0 - np.log(np.maximum(x, FLOOR))

    def conjugate(self, ops: Any, y: Any) -> Any:
        return ops.free_energy(-y, 1)

    def expression(self, cp: Any, x: Any) -> Any:
        return cp.sum(cp.entr(x))


class TargetDivergence(NamedTuple):
    r"""Minus the divergence :math:`KL(x \| target)` of the normalised visits of states or pairs, by the target's shape.

    Imitation of visits: its largest value is 0, where a policy has them. ``target``: (S,) or (S, A), positive wherever one may
    come; divided by its sum. Models as for ``VisitationEntropy``.
    """

    target: Any

    def features(self, setting: Setting) -> Features:
        t = check.float_array(self.target, "target")
        S, A = setting.shape[-2:]
        if t.shape not in ((S,), (S, A)):
            check.fail(f"target has shape {t.shape}: expected ({S},) or ({S}, {A})")
        check.check_finite(t, "target")
        found = visited(setting, STATES if t.ndim == 1 else PAIRS)
        met = (found.rows @ (setting.reachable()[..., None] & setting.mask).ravel() > 0).reshape(t.shape)
        bad = (t < 0) | (met & (t == 0))
        if bad.any():
            i = check.first(bad)
            check.fail(f"{check.place('target', i)} is {t[i]}: expected a weight, positive wherever one may come")
        return found

    def _law(self) -> np.ndarray:
        return np.asarray(self.target, dtype=np.float64).ravel()

    def value(self, ops: Any, x: Any) -> Any:
        t = self._law()
        return -ops.relative_entropy(x, ops.distribution(t, 1), where=t > 0)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        t = self._law()
        return np.log(np.maximum(t / t.sum(), FLOOR)) - 1.0 - np.log(np.maximum(x, FLOOR))

    def conjugate(self, ops: Any, y: Any) -> Any:
        t = self._law()
        return ops.free_energy(-y, 1, weights=ops.distribution(t, 1), where=t > 0)

    def expression(self, cp: Any, x: Any) -> Any:
        t = self._law()
        live = t > 0
        return -cp.sum(cp.rel_entr(x[live], t[live] / t.sum()))


class Fairness(NamedTuple):
    r"""Proportional fairness: :math:`\sum_k w_k \log \langle \mu, r_k \rangle`, ``-inf`` where one of the returns is not positive.

    ``rewards``: (K, S, A), with a horizon (K, H, S, A), floats.  ``weights``: (K,) positive; None: ones. With two rewards of which
    the second is what is left of a budget, a logarithmic barrier.
    """

    rewards: Any
    weights: Any = None

    def _weights(self) -> np.ndarray:
        return np.ones(len(self.rewards)) if self.weights is None else np.asarray(self.weights, dtype=np.float64)

    def features(self, setting: Setting) -> Features:
        from scipy.sparse import csr_array

        arrays = [setting.array(x, f"rewards[{k}]") for k, x in enumerate(self.rewards)]
        w = self._weights()
        if not arrays or w.shape != (len(arrays),) or not (np.isfinite(w) & (w > 0)).all():
            check.fail(f"there are {len(arrays)} rewards and the weights {w.tolist()}: expected as many, positive")
        if any(x.dtype == object for x in arrays):
            raise TypeError("rewards of a utility are floats")
        return Features(csr_array(np.stack([x.ravel() for x in arrays])), Fraction(1))

    def value(self, ops: Any, x: Any) -> Any:
        return ops.dot(ops.array(self._weights(), 1), ops.log(x))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return self._weights() / np.maximum(x, FLOOR)

    def conjugate(self, ops: Any, y: Any) -> Any:
        w = ops.array(self._weights(), 1)
        return ops.dot(w, ops.log(w / y) - 1)

    def expression(self, cp: Any, x: Any) -> Any:
        return self._weights() @ cp.log(x)


FLOOR = 2.0**-100
"""What no visits count as where a slope is infinite: there any slope bounds, and this one is beyond all others."""


def visited(setting: Setting, of: str) -> Features:
    """Normalised visits of states or pairs; over a horizon those of all steps together. ModelError where ends change their mass."""
    from scipy.sparse import csr_array, eye_array, hstack, kron

    if of not in (STATES, PAIRS):
        raise ValueError(f"of is {of!r}: expected 'states' or 'pairs'")
    if setting.ends:
        check.fail("a pair may end, so that policies differ in how much they visit: augmented() makes the end a state")
    S, A = setting.shape[-2:]
    one = kron(eye_array(S), np.ones((1, A))) if of == STATES else eye_array(S * A)
    H = 1 if len(setting.shape) == 2 else setting.shape[0]
    gamma = setting.gamma_exact
    total = 1 / (1 - gamma) if len(setting.shape) == 2 else sum((gamma**h for h in range(H)), Fraction(0))
    return Features(csr_array(hstack([one] * H)), 1 / Fraction(total))
