"""``Ops``: the operators that formulas are written in, common to all arithmetics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tabular.errors import ModelError
from tabular.reference import operators
from tabular.reference.value import Value, align, no_value


class Transitions(NamedTuple):
    """Transition probabilities as a backend holds them; only ``ops.expect`` and ``ops.transition`` look inside.

    ``rows`` is the dense array (batch +) (S, A, S) or a ``CSR``; ``relative`` bounds the relative error of each row's
    floats against the exact model ((batch +) (S, A), enclosures only); ``exact`` holds integer weights (exact
    arithmetics only).
    """

    S: int
    A: int
    rows: Any
    relative: Any = None
    exact: Any = None


class Model(NamedTuple):
    """An MDP, or a batch of equal shape, in the arithmetic of an ``Ops``.

    Attributes
    ----------
    P : ``Transitions``.  R, end : values (S, A), zero where unavailable.  gamma : scalar value.
    rho : value (S,), or None.  mask : bool array (batch +) (S, A).  S, A : sizes.  source : what it was made from.
    """

    P: Transitions
    R: Value
    end: Value
    gamma: Value
    rho: Value | None
    mask: np.ndarray
    S: int
    A: int
    source: Any

    @property
    def start(self) -> Value:
        """``rho``. ModelError where the model has none."""
        if self.rho is None:
            raise ModelError("the model has no start distribution: pass rho (S,), or build it with rho")
        return self.rho


class Ops:
    """An arithmetic. Subclasses implement the underscored methods on their own arrays.

    Parameters
    ----------
    batch : None for one model, or the number of models evaluated at once (batch axes lead).
    """

    planes = 0  # leading axes of the data that belong to the representation
    xp: Any = np  # the library that the data's arrays are of

    def __init__(self, batch: int | None = None) -> None:
        self.batch = batch
        self.nbatch = 0 if batch is None else 1
        self.lead: tuple[int, ...] = () if batch is None else (batch,)  # shape of the batch axes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.batch is None else f'batch={self.batch}'})"

    # -- arithmetic on data, for numpy arrays of floats or of exact objects ------------------------------------------
    def _add(self, x: Any, y: Any) -> Any:
        return x + y

    def _sub(self, x: Any, y: Any) -> Any:
        return x - y

    def _mul(self, x: Any, y: Any) -> Any:
        return x * y

    def _div(self, x: Any, y: Any) -> Any:
        return x / y

    def _neg(self, x: Any) -> Any:
        return -x

    def _item(self, x: Any, key: tuple[Any, ...]) -> Any:
        return x[key]

    # -- values from numbers -----------------------------------------------------------------------------------------
    def _lift(self, x: np.ndarray) -> Any:
        """Data from an array of floats, ints or Fractions, each taken exactly."""
        raise NotImplementedError

    def constant(self, x: Any) -> Value:
        """A scalar: one number for all instances, or a (B,) array with one for each."""
        if isinstance(x, Value):
            return self._own(x)
        a = np.asarray(x)
        if a.dtype.kind not in "fiuO":
            raise TypeError(f"{x!r} is no number")
        if a.ndim > self.nbatch or (a.ndim == 1 and len(a) not in (1, self.batch)):
            raise TypeError(
                f"expected a number{f' or {self.batch} of them' if self.batch else ''}, got shape {a.shape}"
            )
        return Value(self, self._lift(a.reshape(a.shape or (1,) * self.nbatch)), 0)

    def array(self, x: Any, ndim: int) -> Value:
        """An array whose last ``ndim`` axes are event axes; a batch axis in front may be left out."""
        if isinstance(x, Value):
            return self._own(x, ndim)
        return Value(self, self._lift(self._shaped(x, ndim)), ndim)

    def _own(self, x: Value, ndim: int | None = None) -> Value:
        """``x`` itself; TypeError where it is no value, another arithmetic's, or not of ``ndim`` event axes."""
        if not isinstance(x, Value):
            raise no_value(x)
        if x.ops is not self:
            raise TypeError(f"values of two arithmetics meet: {self!r} and {x.ops!r}")
        if ndim is not None and x.ndim != ndim:
            raise TypeError(f"expected {ndim} event axes, got a value of shape {x.shape}")
        return x

    def _shaped(self, x: Any, ndim: int) -> np.ndarray:
        a = np.asarray(x)
        if a.ndim == ndim and self.nbatch:
            a = a[None]
        if a.ndim != ndim + self.nbatch:
            raise TypeError(
                f"expected {ndim} event axes{' behind the batch axis' if self.nbatch else ''}, got shape {a.shape}"
            )
        return a

    def distribution(self, x: Any, ndim: int = 2) -> Value:
        """Rows of floats or integer weights, (S, A) or (S,), divided by their exact sums; a ``Value`` is taken as it is."""
        raise NotImplementedError

    def support(self, x: Any) -> np.ndarray:
        """Which entries of a distribution (as passed to ``distribution``) are positive."""
        raw = x.data if isinstance(x, Value) else np.asarray(x)
        return np.asarray(raw > 0, dtype=bool)

    def model(self, source: Any) -> Model:
        """An ``MDP`` (or ``MDPBatch``) in this arithmetic."""
        raise NotImplementedError

    # -- reductions --------------------------------------------------------------------------------------------------
    def _sum(self, x: Any, axis: int) -> Any:
        raise NotImplementedError

    def _max(self, x: Any, mask: np.ndarray | None, axis: int) -> Any:
        raise NotImplementedError

    def _dot(self, x: Any, y: Any) -> Any:
        raise NotImplementedError

    def _mask(self, where: Any, x: Value) -> np.ndarray | None:
        """A mask with the shape of the data (without planes)."""
        if where is None:
            return None
        mask = self._known(where)
        shape = self._own(x).data.shape[self.planes :]
        if mask.ndim < len(shape):
            mask = mask.reshape((1,) * (len(shape) - mask.ndim) + mask.shape)
        return mask if mask.shape == shape else self._spread(mask, np.broadcast_shapes(mask.shape, shape))

    def _known(self, mask: Any) -> Any:
        """A mask as a bool array."""
        return np.asarray(mask, dtype=bool)

    def _spread(self, mask: Any, shape: tuple[int, ...]) -> Any:
        return np.broadcast_to(mask, shape)

    def _allowed(self, where: Any, x: Value) -> np.ndarray:
        """The same, True everywhere for None."""
        mask: Any = self._mask(np.True_ if where is None else where, x)
        return mask

    def _reduced(self, x: Value, reduce: Callable[[], Any], axis: int) -> Value:
        self._own(x)
        if not -x.ndim <= axis < 0:
            raise TypeError(f"axis {axis}: event axes are counted from the end, -1 ... {-x.ndim}")
        return Value(self, reduce(), x.ndim - 1)

    def sum(self, x: Value, axis: int = -1) -> Value:
        """Sum over an event axis, counted from the end (TypeError otherwise)."""
        return self._reduced(x, lambda: self._sum(x.data, axis), axis)

    def max(self, x: Value, where: Any = None, axis: int = -1) -> Value:
        """Maximum over an event axis, over the entries allowed by ``where``: ValueError where that leaves none."""
        return self._reduced(x, lambda: self._max(x.data, self._some(self._mask(where, x), x, axis), axis), axis)

    def _some(self, mask: np.ndarray | None, x: Value, axis: int = -1) -> Any:
        """``mask`` itself. ValueError naming the first row that has no entry, or none that it allows."""
        if mask is None:
            if not x.data.shape[axis]:
                raise ValueError(f"nothing to compare along axis {axis} of a value of shape {x.shape}")
        elif not (some := mask.any(axis=axis)).all():
            row = tuple(int(i) for i in np.argwhere(~some)[0])
            raise ValueError(
                f"where allows no entry along axis {axis}{f' in row {row}' if row else ''}: nothing to compare"
            )
        return mask

    def min(self, x: Value, where: Any = None, axis: int = -1) -> Value:
        """Minimum over an event axis, over the entries allowed by ``where``: ValueError where that leaves none."""
        return -self.max(-x, where, axis)

    def norm(self, x: Value) -> Value:
        """Largest absolute value over all event axes."""
        x = self.abs(x)
        for _ in range(x.ndim):
            x = self.max(x)
        return x

    def largest(self, x: Value, where: Any = None) -> Value:
        """Maximum over all event axes, over the entries allowed by ``where``: ValueError where that leaves none."""
        mask, data, flat = self._mask(where, self._own(x)), x.data, lambda a: a.reshape(*a.shape[: a.ndim - x.ndim], -1)
        if x.ndim < 2:
            return self.max(x, where)
        if mask is not None:
            data, mask = self.xp.broadcast_to(data, (*data.shape[: self.planes], *mask.shape)), flat(mask)
        return self.max(Value(self, flat(data), 1), mask)

    def smallest(self, x: Value, where: Any = None) -> Value:
        """Minimum over all event axes, over the entries allowed by ``where``: ValueError where that leaves none."""
        return -self.largest(-x, where)

    def dot(self, x: Value, y: Value) -> Value:
        """Sum of products over the last event axis."""
        a, b, ndim = align(self._own(x), y)
        if not ndim:
            raise TypeError("ops.dot sums over an event axis: these are scalars")
        return Value(self, self._dot(a, b), ndim - 1)

    # -- elementwise -------------------------------------------------------------------------------------------------
    def _elementwise(self, name: str, x: Value, *rest: Any) -> Value:
        return Value(self, getattr(self, name)(self._own(x).data, *rest), x.ndim)

    def abs(self, x: Any) -> Value:
        """Absolute value of each entry."""
        return self._elementwise("_abs", self.constant(x))

    def maximum(self, x: Any, y: Any) -> Value:
        """The larger of two values (or numbers), entry by entry."""
        a, b, ndim = align(self.constant(x), self.constant(y))
        return Value(self, self._maximum(a, b), ndim)  # type: ignore[attr-defined]

    def minimum(self, x: Any, y: Any) -> Value:
        """The smaller of two values (or numbers), entry by entry."""
        return -self.maximum(-self.constant(x), -self.constant(y))

    def where(self, mask: np.ndarray, x: Any, y: Any) -> Value:
        """``x`` where the (known) mask is True, else ``y``."""
        a, b = self.constant(x), self.constant(y)
        one = Value(self, np.empty((1,) * np.ndim(mask)), max(a.ndim, b.ndim) or max(np.ndim(mask) - self.nbatch, 0))
        u, v, ndim = *(align(c, one)[0] for c in (a, b)), one.ndim
        allow = self._known(mask)
        allow = allow.reshape((1,) * (self.nbatch + ndim - allow.ndim) + allow.shape)
        return Value(self, self._pick(allow, u, v), ndim)

    def _pick(self, mask: np.ndarray, x: Any, y: Any) -> Any:
        return self.xp.where(mask, x, y)

    def exp(self, x: Any) -> Value:
        """Exponential. NoExactForm in rationals."""
        return self._elementwise("_exp", self.constant(x))

    def log(self, x: Any, where: Any = None) -> Value:
        """Logarithm; zero where ``where`` is False. Like all functions of one entry it takes numbers, too, exactly."""
        x = self.constant(x)
        return self._elementwise("_log", x, self._mask(where, x))

    def sqrt(self, x: Any) -> Value:
        """Square root; of an enclosure that reaches below zero, that of its non-negative part. NoExactForm in rationals."""
        return self._elementwise("_sqrt", self.constant(x))

    def xlogx(self, x: Any) -> Value:
        """``x log x`` for ``x >= 0``, zero at zero."""
        return self._elementwise("_xlogx", self.constant(x))

    def xlogy(self, x: Any, y: Any, where: Any = None) -> Value:
        """``x log y`` where ``where`` is True; elsewhere zero (``x`` must vanish there)."""
        return self.constant(x) * self.log(y, where=where)

    def relative_entropy(self, pi: Value, mu: Value, where: Any = None) -> Value:
        r"""Divergence :math:`\sum_a \pi_a \log(\pi_a/\mu_a)` of two distributions over the last axis: ``0 log 0 = 0``.

        Evaluated as the sum of :math:`\pi_a \log(\pi_a/\mu_a) - \pi_a + \mu_a \ge 0`, of which nothing cancels: its error is
        relative to :math:`|\pi - \mu|`, so that a large weight may multiply it. ``where`` excludes entries at which both vanish.
        """
        a, b, ndim = align(self._own(pi), mu)
        return Value(self, self._relative_entropy(a, b, self._allowed(where, pi)), ndim - 1)

    def _relative_entropy(self, p: Any, mu: Any, mask: np.ndarray) -> Any:
        raise NotImplementedError

    # -- free energy and Gibbs policies ------------------------------------------------------------------------------
    def free_energy(self, x: Value, w: Any, weights: Value | None = None, where: Any = None) -> Value:
        """``w log sum_a weights_a exp(x_a / w)`` over the last axis: stable for every ``w >= 0``, the maximum at 0.

        ``weights`` are rows of a distribution (exactly normalised); None stands for ones. Entries of weight zero are excluded.
        ValueError where ``where`` leaves no entry of a row; so in ``log_gibbs`` and ``gibbs``.
        """
        return Value(self, self._free_energy(*self._gibbs_arguments(x, w, weights, where)), x.ndim - 1)

    def log_gibbs(self, x: Value, w: Any, weights: Value | None = None, where: Any = None) -> Value:
        """Logarithm of ``weights_a exp(x_a / w)``, normalised; ``-inf`` (floats) where excluded."""
        return Value(self, self._gibbs(*self._gibbs_arguments(x, w, weights, where), True), x.ndim)

    def gibbs(self, x: Value, w: Any, weights: Value | None = None, where: Any = None) -> Value:
        """``weights_a exp(x_a / w)``, normalised over the last axis; the first maximiser at ``w = 0``."""
        return Value(self, self._gibbs(*self._gibbs_arguments(x, w, weights, where), False), x.ndim)

    def _gibbs_arguments(self, x: Value, w: Any, weights: Value | None, where: Any) -> tuple[Any, Any, Any, Any]:
        scale = align(self._own(x), self.constant(w))[1]
        data = x.data
        mu = None if weights is None else align(x, weights)[1]
        return data, scale, mu, self._some(self._allowed(where, x), x)

    def _free_energy(self, x: Any, w: Any, mu: Any, mask: Any) -> Any:
        raise NotImplementedError

    def _gibbs(self, x: Any, w: Any, mu: Any, mask: Any, log: bool) -> Any:
        raise NotImplementedError

    # -- indexed logarithms, Tsallis entropies and projections -------------------------------------------------------
    def q_log(self, x: Any, q: Any, where: Any = None) -> Value:
        r""":math:`\ln_q x = (x^{1-q} - 1)/(1-q)` for ``x >= 0``, ``log x`` at ``q = 1``; zero where ``where`` is False.

        At 0 it is ``-1/(1-q)`` for ``q < 1``. The dual :math:`L_q` is ``q_log(x, 2 - q)``. Rational for integer ``q`` other than 1.
        """
        x = self.constant(x)
        return self._elementwise("_q_log", x, align(x, 1 - self.constant(q))[1], self._mask(where, x))

    def q_exp(self, x: Any, q: Any) -> Value:
        r""":math:`\exp_q x = [1 + (1-q) x]_+^{1/(1-q)}`, ``exp x`` at ``q = 1``: the inverse of ``q_log``, 0 below its cut.

        The dual :math:`e_q` is ``q_exp(x, 2 - q)``. Rational where ``1/(1-q)`` is an integer.
        """
        x = self.constant(x)
        return self._elementwise("_q_exp", x, align(x, 1 - self.constant(q))[1])

    def tsallis_entropy(self, pi: Value, q: Any) -> Value:
        r""":math:`S_q(\pi) = (1 - \sum_a \pi_a^q)/(q-1)` over the last axis, for ``q > 0``; Shannon's entropy at ``q = 1``."""
        x = self._elementwise("_times_log", pi, align(pi, self.constant(q) - 1)[1])
        return -self.sum(x)

    def tsallis_divergence(self, pi: Value, mu: Value, q: Any, where: Any = None) -> Value:
        r""":math:`D_q(\pi\|\mu) = (\sum_a \pi_a^q \mu_a^{1-q} - 1)/(q-1)` of two distributions over the last axis, for ``q > 0``.

        The relative entropy at ``q = 1``, :math:`\chi^2` at ``q = 2``. Evaluated as ``relative_entropy`` is: as a sum of terms that
        are not negative. ``where`` excludes entries at which both vanish.
        """
        a, b, ndim = align(self._own(pi), mu)
        c = align(pi, self.constant(q) - 1)[1]
        return Value(self, self._tsallis_divergence(a, b, c, self._allowed(where, pi)), ndim - 1)

    def tsallis_energy(self, x: Value, w: Any, q: Any, weights: Value | None = None, where: Any = None) -> Value:
        r""":math:`\max_\pi \langle\pi, x\rangle - w D_q(\pi\|\mu)` over the last axis, weighted by :math:`\mu`; the maximum at 0.

        Without weights :math:`\max_\pi \langle\pi, x\rangle + w S_q(\pi)`. ``q > 0`` is exact; entries of weight zero are excluded.
        At ``q = 1`` the free energy. Enclosed by primal and dual (``tabular.reference.q_calculus``); rational at ``q = 2``.
        """
        return Value(self, self._tsallis(*self._tsallis_arguments(x, w, q, weights, where), False), x.ndim - 1)

    def tsallis_policy(self, x: Value, w: Any, q: Any, weights: Value | None = None, where: Any = None) -> Value:
        """The maximiser that belongs to ``tsallis_energy``; the first one at ``w = 0``. For ``q > 1`` it may be sparse."""
        return Value(self, self._tsallis(*self._tsallis_arguments(x, w, q, weights, where), True), x.ndim)

    def _tsallis_arguments(self, x: Value, w: Any, q: Any, weights: Value | None, where: Any) -> tuple[Any, ...]:
        """Data of ``x``, ``w``, the weights (or None) and ``q``, and a mask."""
        if self.nbatch:  # of the shape of the batch, should a parameter alone be so
            x = x + 0 * (self.constant(w) + self.constant(q))
        data, scale, mu, allow = self._gibbs_arguments(x, w, weights, where)
        return data, scale, mu, align(x, self.constant(q))[1], allow

    def _tsallis(self, *arguments: Any) -> Any:
        raise NotImplementedError

    def _tsallis_divergence(self, p: Any, mu: Any, c: Any, mask: np.ndarray) -> Any:
        raise NotImplementedError

    def first_max(self, Q: Value, where: Any = None) -> Value:
        """One-hot rows at the first maximiser (where it is not decided: entries between zero and one).

        ValueError where ``where`` leaves no entry of a row.
        """
        return self._elementwise("_first_max", Q, self._some(self._allowed(where, Q), Q))

    # -- linear algebra ----------------------------------------------------------------------------------------------
    def expect(self, P: Transitions, V: Value) -> Value:
        """``sum_t P[s, a, t] V[t]``: (S, A)."""
        raise NotImplementedError

    def transition(self, P: Transitions, pi: Value) -> Value:
        """``P_pi[s, t] = sum_a pi[s, a] P[s, a, t]``: (S, S)."""
        raise NotImplementedError

    def solve(self, A: Value, b: Value) -> Value:
        """The solution of ``A x = b``, (n, n) and (n,)."""
        raise NotImplementedError

    def transpose(self, A: Value) -> Value:
        """The last two axes swapped."""
        return Value(self, self._own(A).data.swapaxes(-1, -2), A.ndim)

    def stack(self, items: Sequence[Value]) -> Value:
        """Values of one event shape side by side, along a new first event axis (for an axis that a claim names, such as k)."""
        items = list(items)
        if strays := [x for x in items if not isinstance(x, Value)]:
            raise TypeError(f"ops.stack takes values, not {strays[0]!r}: ops.constant makes one of a number")
        data, axis = [self._own(x).data for x in items], self.planes + self.nbatch
        if len({x.shape for x in items}) != 1:
            raise TypeError(f"ops.stack takes values of one event shape, not {[x.shape for x in items]}")
        wide = data if len({x.shape for x in data}) == 1 else self.xp.broadcast_arrays(*data)
        return Value(self, self.xp.stack(wide, axis=axis), items[0].ndim + 1)

    def identity(self, n: int) -> Value:
        """The identity matrix: (n, n)."""
        return self.array(np.eye(n), 2)

    def successors(self, m: Model) -> Value:
        """Distributions of the next state, the end of the process last: (S, A, S + 1). An unavailable pair ends.

        For what is not linear in ``P``; always dense.
        """
        end = self.where(m.mask, m.end, 1)
        rows = self._dense_rows(m.P)
        last = self.xp.broadcast_to(end.data, rows.shape[:-1])[..., None]
        return Value(self, self.xp.concatenate([rows, last], axis=-1), 3)

    def _dense_rows(self, P: Transitions) -> Any:
        raise NotImplementedError

    # -- order -------------------------------------------------------------------------------------------------------
    def order(self, x: Value, where: Any = None) -> np.ndarray:
        """Indices that sort the last axis upwards by midpoints, the first of equals first, and what ``where`` excludes last."""
        return self._order(self._own(x), self._allowed(where, x))

    def _order(self, x: Value, mask: np.ndarray) -> np.ndarray:
        return np.argsort(np.where(mask, self.midpoint(x), np.inf), axis=-1, kind="stable")

    def take(self, x: Value, index: np.ndarray) -> Value:
        """Entries ``index`` along the last axis; its other axes are those of ``x`` (batch and all), or may be left out."""
        data = self._own(x).data
        where = index.reshape((1,) * (data.ndim - index.ndim) + index.shape)
        lead = np.broadcast_shapes(data.shape[:-1], where.shape[:-1])
        data = self.xp.broadcast_to(data, lead + data.shape[-1:])
        where = self._spread(where, lead + where.shape[-1:])
        return Value(self, self.xp.take_along_axis(data, where, axis=-1), x.ndim)

    # -- control -----------------------------------------------------------------------------------------------------
    def fori(self, n: int, body: Callable[[int, Any], Any], init: Any) -> Any:
        """``state = body(i, state)`` for ``i = 0 ... n-1``."""
        state = init
        for i in range(n):
            state = body(i, state)
        return state

    def scan(self, body: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any) -> tuple[Any, list[Any]]:
        """``state, out = body(state, x)`` along ``xs``; the final state and the list of outs."""
        state, outs = init, []
        for x in xs:
            state, out = body(state, x)
            outs.append(out)
        return state, outs

    # -- what comes out ----------------------------------------------------------------------------------------------
    def bounds(self, x: Value) -> tuple[np.ndarray, np.ndarray]:
        """Float64 arrays ``lower <= x <= upper`` (batch + event), rounded outwards."""
        raise NotImplementedError

    def midpoint(self, x: Value) -> np.ndarray:
        """Float64 approximation (batch + event)."""
        raise NotImplementedError

    def sign(self, x: Value) -> np.ndarray:
        """Per instance and entry: -1, 1, 0 (exactly zero) or 2 (not decided), as int8."""
        raise NotImplementedError

    def inflate(self, x: Value, radius: Value) -> Value:
        """``x`` (taken at its midpoint) with ``radius`` as its uncertainty."""
        raise ModelError(f"{self!r} has no room for a radius")

    def hull(self, x: Value, y: Value) -> Value:
        """What lies between two values, entry by entry (floats: the middle)."""
        unit = self.inflate(self.constant(0), self.constant(1))
        return (x + y) / 2 + unit * ((y - x) / 2)

    # -- formulas, as methods ----------------------------------------------------------------------------------------
    def q_backup(self, m: Model, V: Value) -> Value:
        """``R + gamma E[V(next)]`` of values (S,): (S, A), zero rewards and nothing next where unavailable."""
        return operators.q_backup(self, m, V)

    def backup(self, m: Model, V: Value, regularizer: Any = None) -> Value:
        """Optimality backup ``T V = Omega*(Q_V)`` of values (S,): (S,). None is the hard maximum over available actions."""
        return operators.backup(self, m, V, regularizer)

    def policy_backup(self, m: Model, pi: Value, V: Value, regularizer: Any = None) -> Value:
        """``T_pi V = <pi, Q_V> - Omega(pi)`` for a policy (S, A) and values (S,): (S,)."""
        return operators.policy_backup(self, m, pi, V, regularizer)

    def evaluate(self, m: Model, pi: Value, regularizer: Any = None) -> Value:
        """Value ``V^pi`` of a policy (S, A), the fixed point of ``T_pi``: (S,).

        Where ``I - gamma P_pi`` is singular: ImproperModel in rationals, enclosures that are unbounded, LinAlgError or nothing
        finite in floats.
        """
        return operators.evaluate(self, m, pi, regularizer)

    def occupancy(self, m: Model, pi: Value, rho: Value | None = None) -> Value:
        """Expected discounted visits of each pair from ``rho`` (S,), the model's if None: (S, A), unnormalised.

        ModelError where there is neither; singular systems as in ``evaluate``.
        """
        return operators.occupancy(self, m, pi, rho)

    def optimal_value(self, m: Model, regularizer: Any = None) -> Value:
        """Optimal values ``V*`` (S,), of the regularised model: proposed in floats, then enclosed or made exact (not in floats).

        ImproperModel at ``gamma = 1``; NoExactForm where a regulariser leaves the rationals.
        """
        from tabular.reference.optimal import optimal_value

        return optimal_value(self, m, regularizer)
