r"""The flow constraints of occupancies, for both kinds of models.

Expected discounted visits :math:`\mu \ge 0` of the pairs satisfy, and are characterised by,

.. math:: \sum_a \mu(s,a) - \gamma \sum_{s',a} \mu(s',a) P(s|s',a) = \rho(s),

a row for each state, a column for each available pair; with a horizon a row for each state of each step, and what enters the first
step is :math:`\rho`. What ends leaves. Source: d'Epenoux 1963; Puterman 1994, section 6.9; Altman 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tabular import _validate as check
from tabular.reference.enclosure_ops import EnclosureOps

Term = tuple[Fraction, np.ndarray]


class Setting:
    """What programs ask of a model.

    Attributes
    ----------
    shape : of arrays over pairs, (S, A) or (H, S, A).  mask : available pairs, of that shape.  pairs : (m,) their flat places.
    states : rows of the flow constraints.  gamma, rho : the model's.
    """

    model: Any
    shape: tuple[int, ...]
    mask: np.ndarray

    def __init__(self) -> None:
        self.pairs = np.flatnonzero(self.mask.ravel())
        self.states = int(np.prod(self.shape[:-1]))
        self.owner = self.pairs // self.shape[-1]
        self.gamma, self.gamma_exact, self.rho = self.model.gamma, self.model.gamma_exact, self.model.rho

    @property
    def start(self) -> np.ndarray:
        """Right sides of the flow constraints: (states,)."""
        return np.concatenate([self.rho, np.zeros(self.states - self.model.S)])

    @property
    def ends(self) -> bool:
        """Whether a step may end the process early."""
        return any(m.has_end for m in getattr(self.model, "_distinct", [self.model]))

    def reachable(self) -> np.ndarray:
        """The states that some policy visits: (S,) or (H, S) bool."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import breadth_first_order

        flow = self.system().tocoo()
        n = self.states
        tail, head = self.owner[flow.col], flow.row
        first = np.flatnonzero(self.start > 0)
        tail, head = np.concatenate([tail, np.full(len(first), n)]), np.concatenate([head, first])
        graph = csr_array((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(n + 1, n + 1))
        out = np.zeros(n + 1, dtype=bool)
        out[breadth_first_order(graph, n, return_predecessors=False)] = True
        return out[:n].reshape(self.shape[:-1])

    def spread(self, x: np.ndarray) -> np.ndarray:
        """An array over pairs from its entries at the available ones, zero elsewhere."""
        out = np.zeros(int(np.prod(self.shape)))
        out[self.pairs] = x
        return out.reshape(self.shape)

    def policy(self, mu: np.ndarray, elsewhere: np.ndarray) -> np.ndarray:
        r""":math:`\pi(a|s) = \mu(s,a) / \mu(s)`, and the policy ``elsewhere`` in states without visits."""
        mu = np.where(self.mask, np.maximum(mu, 0.0), 0.0)
        total = mu.sum(axis=-1, keepdims=True)
        return np.where(total > 0, mu / np.where(total > 0, total, 1.0), elsewhere)

    def array(self, x: Any, name: str) -> np.ndarray:
        """Numbers for each pair, zero where unavailable: floats, or exact ones as objects. ModelError naming what is wrong."""
        exact = check.is_exact(x)
        out = np.asarray(x, dtype=object) if exact else check.float_array(x, name)
        if out.shape != self.shape:
            check.fail(f"{name} has shape {out.shape}: expected {self.shape}")
        if exact:
            keep = [check.to_fraction(out[i], name, i) if self.mask[i] else Fraction(0) for i in np.ndindex(self.shape)]
            out = np.empty(len(keep), dtype=object)
            out[:] = keep
            return out.reshape(self.shape)
        out[~self.mask] = 0.0
        check.check_finite(out, name)
        return out

    # -- by the kind of the model ------------------------------------------------------------------------------------
    def system(self) -> Any:
        """The flow constraints as a sparse matrix (states, m), in floats."""
        raise NotImplementedError

    def rewards(self) -> np.ndarray:
        """(m,) of the available pairs, in floats; with a horizon, those of the last step with what they lead to."""
        raise NotImplementedError

    def exact(self) -> tuple[list[dict[int, Fraction]], list[Fraction], list[Fraction]]:
        """Columns of the flow constraints of the exact model, as {row: entry}; rewards; right sides."""
        raise NotImplementedError

    def priced(self, terms: Sequence[Term], own: bool = True) -> Any:
        """The model with other rewards: the sum of ``weight * array``, exactly, and of its own if these count."""
        raise NotImplementedError

    def best(self, model: Any, pi: np.ndarray | None = None) -> Any:
        """A ``Solution`` of a model of this kind; ``pi`` is near it, perhaps."""
        raise NotImplementedError

    def greedy(self, V: np.ndarray, regularizer: Any) -> np.ndarray:
        """The regularised greedy policy of values, in floats."""
        raise NotImplementedError

    def answer(self, rewards: np.ndarray, actions: np.ndarray | None) -> np.ndarray:
        """The actions that earn most with these rewards, (S,) or (H, S), in floats: from the last answer, if any."""
        raise NotImplementedError

    def pure(self, actions: np.ndarray) -> np.ndarray:
        """Actions as a policy."""
        return np.asarray(actions[..., None] == np.arange(self.shape[-1]), dtype=np.float64)

    def visits(self, pi: np.ndarray) -> np.ndarray:
        """Expected discounted visits of pairs, in floats."""
        raise NotImplementedError

    def enclosed_visits(self, ops: EnclosureOps, pi: np.ndarray) -> Any:
        """The same of the exact model: a ``Value`` over all pairs, laid end to end."""
        raise NotImplementedError

    def values(self, model: Any, pi: np.ndarray, regularizer: Any = None) -> np.ndarray:
        """Values of a policy, in floats."""
        from tabular.operators import evaluate_policy

        return evaluate_policy(model, pi, regularizer)

    def certified(self, model: Any, V: np.ndarray, regularizer: Any, pi: np.ndarray | None) -> dict[str, Any]:
        """Certificates of values and of a policy, as ``certify`` has them."""
        raise NotImplementedError

    def returned(self, V: np.ndarray, bound: np.ndarray, up: bool) -> float:
        """A bound on ``rho (V - error)`` from a bound on the error of V."""
        first = V if V.ndim == 1 else V[0]
        off = bound if bound.ndim == 1 else bound[0]
        ops = EnclosureOps()
        x = np.nextafter(first - off, np.inf if up else -np.inf)
        met = self.rho > 0
        if not np.isfinite(x[met]).all():
            return np.inf if up else -np.inf
        value = ops.bounds(ops.dot(self.law(ops), ops.array(np.where(met, x, 0.0), 1)))[int(up)]
        return float(value)

    def worth(self, model: Any, pi: np.ndarray, regularizer: Any = None) -> tuple[float, float]:
        """Proved bounds on what a policy earns from the start in a model of this kind."""
        V = self.values(model, pi, regularizer)
        c = self.certified(model, V, regularizer, pi)["V - V^pi"]
        return self.returned(V, c.upper, False), self.returned(V, c.lower, True)

    def most(self, model: Any, pi: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """A proved bound on what any policy earns in a model of this kind, and the values that prove it; ``pi`` is near to it."""
        sol = self.best(model, pi)
        c = sol.certificates.get("V - V*")
        return np.inf if c is None else self.returned(sol.V, c.lower, True), sol.V

    def elsewhere(self, reduced: np.ndarray) -> np.ndarray:
        """A deterministic policy for states without visits: the pairs of largest reduced cost (m,)."""
        out, flat = np.zeros(self.shape), np.full(int(np.prod(self.shape)), -np.inf)
        flat[self.pairs] = reduced
        np.put_along_axis(out, flat.reshape(self.shape).argmax(axis=-1)[..., None], 1.0, axis=-1)
        return out

    def law(self, ops: EnclosureOps) -> Any:
        """The start distribution, enclosed."""
        raise NotImplementedError
