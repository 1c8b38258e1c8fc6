"""Float64 through NumPy: the plainest arithmetic, for small models and for proposals that others verify."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular._validate import to_fraction
from tabular.mdp import CSR
from tabular.reference import q_calculus
from tabular.reference.ops import Model, Ops, Transitions
from tabular.reference.value import Value


def scatter(P: CSR, x: np.ndarray) -> np.ndarray:
    """Sums of ``x`` (nnz,) over the rows of a CSR structure."""
    return np.bincount(
        np.repeat(np.arange(len(P.indptr) - 1), np.diff(P.indptr)), weights=x, minlength=len(P.indptr) - 1
    )


def row_expectation(rows: Any, V: np.ndarray, S: int, A: int) -> np.ndarray:
    """``P V`` for dense (batch +) (S, A, S) rows or a ``CSR``."""
    if isinstance(rows, CSR):
        lead = V.shape[:-1]
        return scatter(rows, rows.data * V.reshape(-1)[rows.indices]).reshape((*lead, S, A))
    return np.matmul(rows, V[..., None, :, None])[..., 0]


def policy_matrix(rows: Any, pi: np.ndarray, S: int, A: int) -> np.ndarray:
    """``P_pi`` dense: (batch +) (S, S)."""
    if isinstance(rows, CSR):
        flat = pi.reshape(-1)
        owner = np.repeat(np.arange(S * A), np.diff(rows.indptr))
        key = (owner // A) * S + rows.indices
        out = np.bincount(key, weights=flat[owner] * rows.data, minlength=S * S)
        return out.reshape((*pi.shape[:-2], S, S))
    return np.matmul(pi[..., None, :], rows)[..., 0, :]


def dense_rows(rows: Any, S: int, A: int) -> np.ndarray:
    """(batch +) (S, A, S) from that or from a ``CSR``."""
    if not isinstance(rows, CSR):
        return np.asarray(rows)
    out = np.zeros((S * A, S))
    np.add.at(out, (np.repeat(np.arange(S * A), np.diff(rows.indptr)), rows.indices), rows.data)
    return out.reshape(S, A, S)


class NumpyOps(Ops):
    """Float64. Results are approximations: ``bounds`` is refused."""

    def _lift(self, x: np.ndarray) -> np.ndarray:
        if x.dtype == object:
            return np.array([float(to_fraction(v, "x")) for v in x.ravel().tolist()]).reshape(x.shape)
        return x.astype(np.float64)

    def distribution(self, x: Any, ndim: int = 2) -> Value:
        if isinstance(x, Value):
            return self._own(x, ndim)
        value = self.array(x, ndim)
        return Value(self, value.data / value.data.sum(axis=-1, keepdims=True), value.ndim)

    def model(self, source: Any) -> Model:
        s = source
        if (self.nbatch == 1) != (s.mask.ndim == 3):
            raise TypeError(f"{self!r} cannot hold {s!r}")
        put = lambda x: Value(self, np.asarray(x), 2)  # noqa: E731
        gamma = np.asarray(s.gamma, dtype=np.float64)
        return Model(
            P=Transitions(s.S, s.A, s.P),
            R=put(s.rewards),
            end=put(s.end),
            gamma=Value(self, np.broadcast_to(gamma, self.lead), 0),
            rho=None if s.rho is None else Value(self, np.asarray(s.rho), 1),
            mask=s.mask,
            S=s.S,
            A=s.A,
            source=s,
        )

    def _sum(self, x: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(x.sum(axis=axis))

    def _max(self, x: np.ndarray, mask: np.ndarray | None, axis: int) -> np.ndarray:
        return np.asarray(np.max(x if mask is None else np.where(mask, x, -np.inf), axis=axis))

    def _dot(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.asarray((x * y).sum(axis=-1))

    _abs = staticmethod(np.abs)
    _maximum = staticmethod(np.maximum)
    _exp = staticmethod(np.exp)
    _sqrt = staticmethod(np.sqrt)

    def _log(self, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(x) if mask is None else np.log(np.where(mask, x, 1.0))

    def _xlogx(self, x: np.ndarray) -> np.ndarray:
        return x * np.log(np.where(x > 0, x, 1.0))

    def _free_energy(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> np.ndarray:
        return free_energy(x, w, mu, mask)

    def _gibbs(self, x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray, log: bool) -> np.ndarray:
        return gibbs(x, w, mu, mask, log)

    def _first_max(self, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return one_hot(np.argmax(np.where(mask, x, -np.inf), axis=-1), x.shape[-1])

    def _relative_entropy(self, p: np.ndarray, mu: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return relative_entropy(p, mu, mask)

    def _q_log(self, x: np.ndarray, c: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        return (
            q_calculus.log_c(x, c) if mask is None else np.where(mask, q_calculus.log_c(np.where(mask, x, 1.0), c), 0.0)
        )

    def _q_exp(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return q_calculus.exp_pair(x, c)[0]

    def _times_log(self, x: np.ndarray, c: np.ndarray) -> np.ndarray:
        return q_calculus.times_log(x, c)

    def _tsallis_divergence(self, p: np.ndarray, mu: np.ndarray, c: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return q_calculus.divergence(p, mu, c, mask)

    def _tsallis(
        self, x: np.ndarray, w: np.ndarray, mu: Any, q: np.ndarray, mask: np.ndarray, policy: bool
    ) -> np.ndarray:
        rest = q_calculus.policy if policy else q_calculus.energy
        one = q == 1
        out = None if one.all() else rest(x, w, mu, np.where(one, 2.0, q), mask)
        if not one.any():
            return np.asarray(out)
        entropic = gibbs(x, w, mu, mask, False) if policy else free_energy(x, np.broadcast_to(w, x.shape), mu, mask)
        return entropic if out is None else np.where(one if policy else one[..., 0], entropic, out)

    def expect(self, P: Transitions, V: Value) -> Value:
        return Value(self, row_expectation(P.rows, self._own(V, 1).data, P.S, P.A), 2)

    def _dense_rows(self, P: Transitions) -> np.ndarray:
        return dense_rows(P.rows, P.S, P.A)

    def transition(self, P: Transitions, pi: Value) -> Value:
        return Value(self, policy_matrix(P.rows, self._own(pi, 2).data, P.S, P.A), 2)

    def solve(self, A: Value, b: Value) -> Value:
        return Value(self, np.linalg.solve(A.data, b.data[..., None])[..., 0], 1)

    def midpoint(self, x: Value) -> np.ndarray:
        return np.asarray(x.data)

    def inflate(self, x: Value, radius: Value) -> Value:
        return x


def one_hot(index: np.ndarray, n: int) -> np.ndarray:
    return (index[..., None] == np.arange(n)).astype(np.float64)


def shifted(x: np.ndarray, w: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row maxima ``m`` (keepdims) and ``z = (x - m) / w <= 0``, ``-inf`` where masked; ``w = 0`` counts as 1."""
    m = np.max(np.where(mask, x, -np.inf), axis=-1, keepdims=True)
    with np.errstate(over="ignore"):
        z = np.where(mask, (x - m) / np.where(w > 0, w, 1.0), -np.inf)
    return m, z


def log_mass(z: np.ndarray, mu: Any) -> np.ndarray:
    """``log sum_a mu_a exp(z_a)`` for ``max z = 0``: without cancellation when ``mu`` is a distribution and ``z`` small."""
    e = np.exp(z)
    if mu is None:
        top = np.argmax(z, axis=-1)[..., None] == np.arange(z.shape[-1])
        return np.asarray(np.log1p(np.where(top, 0.0, e).sum(axis=-1)))
    t = np.sum(mu * np.expm1(np.where(mu > 0, z, 0.0)), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(t > -0.5, np.log1p(np.maximum(t, -0.5)), np.log((mu * e).sum(axis=-1))))


def free_energy(x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray) -> np.ndarray:
    """``w log sum_a mu_a exp(x_a / w)``, rows last; the NumPy twin of the compiled conjugate."""
    m, z = shifted(x, w, mask if mu is None else mask & (mu > 0))
    out = m[..., 0] + w[..., 0] * log_mass(z, mu)
    return np.asarray(np.where(w[..., 0] > 0, out, m[..., 0]))


def relative_entropy(p: np.ndarray, mu: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``sum_a p_a log(p_a / mu_a) - p_a + mu_a`` over the last axis, term by term without cancellation between them.

    Near ``p = mu`` the logarithm is ``log1p((p - mu) / mu)``, so that its error, too, is relative to ``|p - mu|``.
    """
    p, mu = np.where(mask, p, 1.0), np.where(mask, mu, 1.0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        r = (p - mu) / mu
        close = (r > -0.5) & (r < 1.0)
        logs = np.log(np.where(p > 0, p, 1.0)) - np.log(mu)
        terms = np.where(p > 0, p * np.where(close, np.log1p(np.where(close, r, 0.0)), logs), 0.0) - (p - mu)
    return np.asarray(np.maximum(terms, 0.0).sum(axis=-1))


def gibbs(x: np.ndarray, w: np.ndarray, mu: Any, mask: np.ndarray, log: bool) -> np.ndarray:
    """``mu_a exp(x_a / w)`` normalised (or its logarithm); the first maximiser at ``w = 0``."""
    mask = mask if mu is None else mask & (mu > 0)
    _, z = shifted(x, w, mask)
    with np.errstate(divide="ignore", invalid="ignore"):
        if log:
            out = z - log_mass(z, mu)[..., None] + (0.0 if mu is None else np.log(mu))
            out = np.where(mask, out, -np.inf)
        else:
            out = np.exp(z) * (1.0 if mu is None else mu)
            out = out / out.sum(axis=-1, keepdims=True)
        hard = one_hot(np.argmax(np.where(mask, x, -np.inf), axis=-1), x.shape[-1])
        return np.asarray(np.where(w > 0, out, np.log(hard) if log else hard))
