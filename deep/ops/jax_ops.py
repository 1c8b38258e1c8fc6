"""``JaxOps``: floats through JAX, so that formulas over ``ops`` run under jit, vmap and grad as they are.

Values are pytrees: a compiled function may take and return them. What a formula asks of known numbers (an empty row of a mask, an
order to sort by) is asked where they are known, and passed over where they are traced.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deep.ops import entropic, tsallis
from deep.ops.models import DeviceModel, dense_rows, expectation, on_device, policy_matrix
from tabular._validate import to_fraction
from tabular.reference.ops import Model, Ops, Transitions
from tabular.reference.value import Value

jax.tree_util.register_pytree_node(
    Value, lambda x: ((x.data,), (x.ops, x.ndim)), lambda kept, data: Value(kept[0], data[0], kept[1])
)


def _traced(x: Any) -> bool:
    return isinstance(x, jax.core.Tracer)


class JaxOps(Ops):
    """Floats of JAX. Results are approximations: ``bounds`` is refused.

    Parameters
    ----------
    batch : as in ``Ops``. Under ``vmap`` leave it out: the batch axis is JAX's.
    dtype : float64, or float32 if asked for.
    library : False forms the products with dense transitions by a product and a sum that XLA compiles, never by a library's
        own matrix product: certificates rest on it (``deep.exact.rounding``).

    Raises ValueError where float64 is asked of a JAX that is set to float32: enter ``deep.precision.float64()`` first.
    """

    xp = jnp

    def __init__(self, batch: int | None = None, *, dtype: Any = jnp.float64, library: bool = True) -> None:
        super().__init__(batch)
        self.dtype, self.library = np.dtype(dtype), library
        self._check()

    def _check(self) -> None:
        if self.dtype == np.float64 and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
            raise ValueError(
                "JAX is set to float32 here, and would round every number: compute in `with deep.precision.float64():`, "
                "or ask for JaxOps(dtype=jnp.float32)"
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JaxOps) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return type(self), self.batch, self.dtype, self.library

    def _item(self, x: Any, key: tuple[Any, ...]) -> Any:
        np.broadcast_to(np.False_, x.shape)[key]  # IndexError: JAX itself would take the nearest entry
        return x[key]

    # -- values from numbers -----------------------------------------------------------------------------------------
    def _lift(self, x: Any) -> Any:
        self._check()
        if isinstance(x, np.ndarray) and x.dtype == object:
            x = np.array([float(to_fraction(v, "x")) for v in x.ravel().tolist()]).reshape(x.shape)
        return jnp.asarray(x, dtype=self.dtype)

    def constant(self, x: Any) -> Value:
        if not isinstance(x, jax.Array):
            return super().constant(x)
        if x.ndim > self.nbatch or (x.ndim == 1 and len(x) not in (1, self.batch)):
            raise TypeError(
                f"expected a number{f' or {self.batch} of them' if self.batch else ''}, got shape {x.shape}"
            )
        return Value(self, self._lift(x.reshape(x.shape or (1,) * self.nbatch)), 0)

    def _shaped(self, x: Any, ndim: int) -> Any:
        if not isinstance(x, jax.Array):
            return super()._shaped(x, ndim)
        a = x[None] if x.ndim == ndim and self.nbatch else x
        if a.ndim != ndim + self.nbatch:
            raise TypeError(
                f"expected {ndim} event axes{' behind the batch axis' if self.nbatch else ''}, got shape {a.shape}"
            )
        return a

    def distribution(self, x: Any, ndim: int = 2) -> Value:
        if isinstance(x, Value):
            return self._own(x, ndim)
        value = self.array(x, ndim)
        return Value(self, value.data / value.data.sum(axis=-1, keepdims=True), value.ndim)

    def support(self, x: Any) -> Any:
        raw = x.data if isinstance(x, Value) else x
        return raw > 0 if isinstance(raw, jax.Array) else np.asarray(np.asarray(raw) > 0)

    def model(self, source: Any) -> Model:
        """An ``MDP``, ``MDPBatch``, or a ``DeviceModel`` (traced or not)."""
        self._check()
        d = source if isinstance(source, DeviceModel) else on_device(source, self.dtype)
        if (self.nbatch == 1) != (d.R.ndim == 3):
            raise TypeError(f"{self!r} cannot hold {source!r}")
        mask = d.mask if isinstance(source, DeviceModel) else source.mask
        return Model(
            P=Transitions(d.S, d.A, d.P),
            R=Value(self, d.R, 2),
            end=Value(self, d.end, 2),
            gamma=Value(self, jnp.broadcast_to(d.gamma, self.lead), 0),
            rho=None if d.rho is None else Value(self, d.rho, 1),
            mask=mask,
            S=d.S,
            A=d.A,
            source=source,
        )

    # -- masks and orders: known, or traced --------------------------------------------------------------------------
    def _known(self, mask: Any) -> Any:
        return mask.astype(bool) if isinstance(mask, jax.Array) else super()._known(mask)

    def _spread(self, mask: Any, shape: tuple[int, ...]) -> Any:
        return jnp.broadcast_to(mask, shape) if isinstance(mask, jax.Array) else super()._spread(mask, shape)

    def _some(self, mask: Any, x: Value, axis: int = -1) -> Any:
        if not _traced(mask):
            super()._some(np.asarray(mask) if isinstance(mask, jax.Array) else mask, x, axis)
        return mask

    def _order(self, x: Value, mask: Any) -> Any:
        return jnp.argsort(jnp.where(mask, x.data, jnp.inf), axis=-1, stable=True)

    # -- reductions and functions ------------------------------------------------------------------------------------
    def _sum(self, x: Any, axis: int) -> Any:
        return x.sum(axis=axis)

    def _max(self, x: Any, mask: Any, axis: int) -> Any:
        return jnp.max(x if mask is None else jnp.where(mask, x, -jnp.inf), axis=axis)

    def _dot(self, x: Any, y: Any) -> Any:
        return (x * y).sum(axis=-1)

    _abs = staticmethod(jnp.abs)
    _maximum = staticmethod(jnp.maximum)
    _exp = staticmethod(jnp.exp)
    _sqrt = staticmethod(jnp.sqrt)

    def _log(self, x: Any, mask: Any) -> Any:
        return jnp.log(x) if mask is None else jnp.log(jnp.where(mask, x, 1.0))

    def _xlogx(self, x: Any) -> Any:
        return x * jnp.log(jnp.where(x > 0, x, 1.0))

    def _free_energy(self, x: Any, w: Any, mu: Any, mask: Any) -> Any:
        return entropic.free_energy(x, w, mu, mask)

    def _gibbs(self, x: Any, w: Any, mu: Any, mask: Any, log: bool) -> Any:
        return entropic.gibbs(x, w, mu, mask, log)

    def _first_max(self, x: Any, mask: Any) -> Any:
        return entropic.one_hot(jnp.argmax(jnp.where(mask, x, -jnp.inf), axis=-1), x.shape[-1], self.dtype)

    def _relative_entropy(self, p: Any, mu: Any, mask: Any) -> Any:
        return entropic.relative_entropy(p, mu, mask)

    def _q_log(self, x: Any, c: Any, mask: Any) -> Any:
        return tsallis.log_c(x, c) if mask is None else jnp.where(mask, tsallis.log_c(jnp.where(mask, x, 1.0), c), 0.0)

    def _q_exp(self, x: Any, c: Any) -> Any:
        return tsallis.exp_pair(x, c)[0]

    def _times_log(self, x: Any, c: Any) -> Any:
        return tsallis.times_log(x, c)

    def _tsallis_divergence(self, p: Any, mu: Any, c: Any, mask: Any) -> Any:
        return tsallis.divergence(p, mu, c, mask)

    def _tsallis(self, x: Any, w: Any, mu: Any, q: Any, mask: Any, policy: bool) -> Any:
        rest = tsallis.policy if policy else tsallis.energy
        w, q = (jnp.broadcast_to(v, x.shape) for v in (w, q))
        if not _traced(q) and not bool((q == 1).any()):
            return rest(x, w, mu, q, mask)
        one = q == 1
        out = rest(x, w, mu, jnp.where(one, 2.0, q), mask)
        entropic_one = entropic.gibbs(x, w, mu, mask, False) if policy else entropic.free_energy(x, w, mu, mask)
        return jnp.where(one if policy else one[..., 0], entropic_one, out)

    # -- linear algebra ----------------------------------------------------------------------------------------------
    def expect(self, P: Transitions, V: Value) -> Value:
        return Value(self, expectation(P.rows, self._own(V, 1).data, P.S, P.A, self.library), 2)

    def _dense_rows(self, P: Transitions) -> Any:
        return dense_rows(P.rows, P.S, P.A)

    def transition(self, P: Transitions, pi: Value) -> Value:
        return Value(self, policy_matrix(P.rows, self._own(pi, 2).data, P.S, P.A), 2)

    def solve(self, A: Value, b: Value) -> Value:
        return Value(self, jnp.linalg.solve(A.data, b.data[..., None])[..., 0], 1)

    def midpoint(self, x: Value) -> np.ndarray:
        return np.asarray(x.data, dtype=np.float64)

    def inflate(self, x: Value, radius: Value) -> Value:
        return x
