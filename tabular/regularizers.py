r"""Regularisers of the policy: a convex :math:`\Omega` on the simplex of each state's available actions.

A regularised MDP maximises :math:`E \sum_k \gamma^k (R - \Omega(\pi))`. Its backup is the convex conjugate
:math:`\Omega^*(Q) = \max_\pi \langle \pi, Q \rangle - \Omega(\pi)`, its greedy policy the maximiser :math:`\nabla\Omega^*(Q)`
(Geist, Scherrer and Pietquin 2019, Prop. 1). The entropic ones share one form,

.. math:: \Omega(\pi) = w \sum_a \pi_a \log\frac{\pi_a}{\mu_a} + \ldots, \qquad
          \Omega^*(Q) = w \log \sum_a \mu_a e^{x_a / w},

with :math:`w = \tau + \lambda`, :math:`x = Q - \tau \log \mu` under a reference :math:`\mu` (and :math:`\mu = 1, x =
Q` for Shannon's entropy alone). Weights are in the unit of the rewards, entropies in nats; weight 0 is the hard
maximum (under a reference: over its support), its limit. ``Tsallis`` and ``TsallisKL`` replace the logarithm by one with an
index ``q``; their maximisers follow from a dual point that is enclosed (``tabular.reference.q_calculus``).

A regulariser is a ``NamedTuple`` of its parameters with the four methods of ``Regularizer``, written over ``ops`` (see
``tabular.reference``), so that every arithmetic can evaluate it. Parameters may be numbers or ``Value``s (temperatures that vary
over a batch). One's own needs ``conjugate`` and ``policy`` alone: the decorator ``regularizer`` adds the rest.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from tabular import _validate as check

T = TypeVar("T")

LEAST_INDEX, GREATEST_INDEX = 1 / 16, 16.0
"""Range of the index of Tsallis' entropies. At 16 a probability of 1/10 already rests on the 15th digit of an action value."""


@runtime_checkable
class Regularizer(Protocol):
    """What a regulariser offers; ``Q``, ``pi`` are ``Value``s of event shape (S, A), ``mask`` a bool array."""

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        """Omega*(Q(s, .)) : (S,)."""

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        """Logarithm of the maximiser : (S, A); ``-inf`` (floats) where it is zero."""

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        """The maximiser: (S, A), rows on the simplex, zero where masked."""

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        """Omega(pi(. | s)) : (S,)."""


def regularizer(cls: type[T]) -> type[T]:
    """Class decorator: completes a ``NamedTuple`` of parameters that has ``conjugate`` and ``policy``.

    ``log_policy`` is the logarithm of ``policy``; define it where the policy underflows. ``value`` raises
    NotImplementedError: ``Omega`` does not follow from the maximiser in a closed form, and is needed to evaluate
    given policies only (optimal values do without). Raises TypeError for a class without the two methods, or that is
    no ``NamedTuple``.
    """
    if not (isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")):
        raise TypeError(f"{cls!r} is no NamedTuple class: a regularizer is a NamedTuple of its parameters")
    for name in ("conjugate", "policy"):
        if not callable(getattr(cls, name, None)):
            raise TypeError(f"{cls.__name__} has no method {name}(ops, Q, mask)")
    for name, default in (("log_policy", _log_policy), ("value", _no_value)):
        if not hasattr(cls, name):
            setattr(cls, name, default)
    return cls


def _log_policy(self: Any, ops: Any, Q: Any, mask: Any) -> Any:
    return ops.log(self.policy(ops, Q, mask))


def _no_value(self: Any, ops: Any, pi: Any, mask: Any) -> Any:
    raise NotImplementedError(
        f"{type(self).__name__} has no method value(ops, pi, mask): Omega of a given policy is unknown"
    )


class Hard(NamedTuple):
    """No regulariser: the backup is the maximum, the greedy policy the first maximiser."""

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.max(Q, where=mask)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return _log_policy(self, ops, Q, mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.first_max(Q, where=mask)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return ops.sum(pi * 0)


class Shannon(NamedTuple):
    """``tau`` times the negative Shannon entropy: ``Omega(pi) = tau sum pi log pi``."""

    tau: Any

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.free_energy(Q, self.tau, where=mask)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.log_gibbs(Q, self.tau, where=mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.gibbs(Q, self.tau, where=mask)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return ops.constant(self.tau) * ops.sum(ops.xlogx(pi))


class KL(NamedTuple):
    """``lam`` times the divergence from ``reference`` (S, A): ``Omega(pi) = lam sum pi log(pi / reference)``.

    Rows of the reference are distributions; an action of reference 0 is never taken.
    """

    lam: Any
    reference: Any

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        mu, where = _reference(ops, self.reference, mask)
        return ops.free_energy(Q, self.lam, weights=mu, where=where)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        mu, where = _reference(ops, self.reference, mask)
        return ops.log_gibbs(Q, self.lam, weights=mu, where=where)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        mu, where = _reference(ops, self.reference, mask)
        return ops.gibbs(Q, self.lam, weights=mu, where=where)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return ops.constant(self.lam) * ops.relative_entropy(pi, ops.distribution(self.reference), where=mask)


class ShannonKL(NamedTuple):
    """Both: ``Omega(pi) = tau sum pi log pi + lam sum pi log(pi / reference)``."""

    tau: Any
    lam: Any
    reference: Any

    def _tilted(self, ops: Any, Q: Any, mask: Any) -> tuple[Any, Any, Any, Any]:
        mu, where = _reference(ops, self.reference, mask)
        tau = ops.constant(self.tau)
        return Q - tau * ops.log(mu, where=where), tau + ops.constant(self.lam), mu, where

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        x, w, mu, where = self._tilted(ops, Q, mask)
        return ops.free_energy(x, w, weights=mu, where=where)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        x, w, mu, where = self._tilted(ops, Q, mask)
        return ops.log_gibbs(x, w, weights=mu, where=where)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        x, w, mu, where = self._tilted(ops, Q, mask)
        return ops.gibbs(x, w, weights=mu, where=where)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return Shannon(self.tau).value(ops, pi, mask) + KL(self.lam, self.reference).value(ops, pi, mask)


class Tsallis(NamedTuple):
    r"""``tau`` times the negative Tsallis entropy: :math:`\Omega(\pi) = -\tau S_q(\pi) = \tau (\sum_a \pi_a^q - 1)/(q-1)`.

    Shannon's at ``q = 1``; for ``q > 1`` the maximiser is sparse (``q = 2``: sparsemax of ``Q / (2 tau)``), for ``q < 1`` its tails
    are powers. In papers ``1/q`` is at times part of the weight.
    """

    tau: Any
    q: Any

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.tsallis_energy(Q, self.tau, self.q, where=mask)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return _log_policy(self, ops, Q, mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return ops.tsallis_policy(Q, self.tau, self.q, where=mask)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return -ops.constant(self.tau) * ops.tsallis_entropy(pi, self.q)


class TsallisKL(NamedTuple):
    r"""``lam`` times the Tsallis divergence :math:`D_q(\pi\|\mu) = (\sum_a \pi_a^q \mu_a^{1-q} - 1)/(q-1)` from ``reference``.

    That of Kullback and Leibler at ``q = 1``, :math:`\chi^2` at ``q = 2``; its maximiser is :math:`\mu` times a ``q``-exponential.
    """

    lam: Any
    q: Any
    reference: Any

    def conjugate(self, ops: Any, Q: Any, mask: Any) -> Any:
        mu, where = _reference(ops, self.reference, mask)
        return ops.tsallis_energy(Q, self.lam, self.q, weights=mu, where=where)

    def log_policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        return _log_policy(self, ops, Q, mask)

    def policy(self, ops: Any, Q: Any, mask: Any) -> Any:
        mu, where = _reference(ops, self.reference, mask)
        return ops.tsallis_policy(Q, self.lam, self.q, weights=mu, where=where)

    def value(self, ops: Any, pi: Any, mask: Any) -> Any:
        return ops.constant(self.lam) * ops.tsallis_divergence(pi, ops.distribution(self.reference), self.q, where=mask)


BUILT_IN = (Hard, Shannon, KL, ShannonKL, Tsallis, TsallisKL)
"""The regularisers that ``checked`` validates and the kernels know."""


def _reference(ops: Any, reference: Any, mask: Any) -> tuple[Any, np.ndarray]:
    """The reference as a Value with rows on the simplex, and the pairs it allows."""
    return ops.distribution(reference), mask & ops.support(reference)


def checked(regularizer: Any, mask: np.ndarray) -> Any:
    """The regulariser with float parameters, validated against the available pairs; None is ``Hard()``.

    Weight 0 drops its term, reference and all; index 1 is ``Shannon`` or ``KL``. One's own is tried once, at action values of
    zero, and passed on as it is. Raises ModelError naming a weight that is negative or not finite, an index out of range,
    or the first bad row of a reference; TypeError for what is no number, for anything without the four methods of
    ``Regularizer``, and naming a method of one's own that returns anything but a ``Value`` of its shape.
    """
    if regularizer is None:
        return Hard()
    if not isinstance(regularizer, Regularizer) or isinstance(regularizer, type):
        raise TypeError(
            f"{regularizer!r} is no regularizer: expected Shannon(tau), KL(lam, reference), ... or an instance of one's own class "
            "with conjugate and policy, completed by @tabular.regularizers.regularizer"
        )
    if not isinstance(regularizer, BUILT_IN):
        _check_own(regularizer, mask)
        return regularizer
    fields = regularizer._asdict()
    if "q" in fields:
        fields["q"] = _checked_index(fields["q"])
    for name in ("tau", "lam"):
        if name in fields:
            exact = check.to_fraction(fields[name], name)
            w = check.to_float(exact, name)
            if w < 0:
                check.fail(f"{name} is {w}: a weight cannot be negative")
            if exact != w:
                check.fail(
                    f"{name} is {check.shown(exact)}, which no float64 is: weights are floats; float({name}) rounds it"
                )
            fields[name] = w
    if "reference" in fields:
        fields["reference"] = _checked_reference(fields["reference"], mask)
    tau, lam, q = fields.get("tau", 0.0), fields.get("lam", 0.0), fields.get("q", 1.0)
    if q != 1.0 and tau + lam > 0:
        return type(regularizer)(**fields)
    if lam == 0.0:
        return Shannon(tau) if tau > 0 else Hard()
    return ShannonKL(tau, lam, fields["reference"]) if tau > 0 else KL(lam, fields["reference"])


def _checked_index(q: Any) -> float:
    """An index as a float of which ``q - 1`` is one, too: every certificate is for this very index."""
    exact = check.to_fraction(q, "q")
    index = check.to_float(exact, "q")
    if not LEAST_INDEX <= index <= GREATEST_INDEX:
        check.fail(f"q is {check.shown(exact)}: expected an index from {LEAST_INDEX} to {GREATEST_INDEX}")
    if exact != index:
        check.fail(f"q is {check.shown(exact)}, which no float64 is: indices are floats; float(q) rounds it")
    if Fraction(index - 1.0) != exact - 1:
        check.fail(
            f"q is {index!r}, and q - 1 no float64: below 1/2 an index is a multiple of 2**-53; (q - 1) + 1 rounds it"
        )
    return index


def _check_own(regularizer: Any, mask: np.ndarray) -> None:
    """TypeError naming a method that returns no ``Value`` of its shape."""
    from tabular.reference import NumpyOps, Value

    ops = NumpyOps(len(mask) if mask.ndim == 3 else None)
    S, A = mask.shape[-2:]

    def tried(name: str, x: Any, shape: tuple[int, ...]) -> Any:
        who = f"{name} of {type(regularizer).__name__}"
        with np.errstate(all="ignore"):
            out = getattr(regularizer, name)(ops, x, mask)
        if not isinstance(out, Value):
            raise TypeError(f"{who} returns {type(out).__name__}: expected a Value of shape {shape}, made by ops")
        if out.shape != shape:
            raise TypeError(f"{who} returns shape {out.shape}: expected {shape}")
        return out

    Q = ops.array(np.zeros(mask.shape), 2)
    tried("conjugate", Q, (S,))
    pi = tried("policy", Q, (S, A))
    tried("log_policy", Q, (S, A))
    with suppress(NotImplementedError):  # optimal values do without
        tried("value", pi, (S,))


def _checked_reference(reference: Any, mask: np.ndarray) -> np.ndarray:
    mu = check.float_array(reference, "reference")
    if mu.shape != mask.shape:
        check.fail(f"reference has shape {mu.shape}: expected {mask.shape}")
    check.check_probabilities(mu, "reference")
    if (mu[~mask] > 0).any():
        i = check.first((mu > 0) & ~mask)
        check.fail(f"{check.place('reference', i)} is {mu[i]}, but the action is unavailable")
    every = np.ones(mu.shape[:-1], dtype=bool)
    advice = "rows of a reference are distributions: divide them by their sums"
    check.check_rows(check.row_sums(mu), every, mu.shape[-1], False, "reference", advice)
    return check.sealed(mu)
