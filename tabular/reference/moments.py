r"""Tilts of a distribution by functions, as formulas over ``ops``, and how near a tilt is to the one of given moments.

With :math:`f(\lambda) = \log \sum_t p_t e^{\lambda\cdot\phi(t)} - \lambda\cdot\psi + \tfrac12 \sum_i h_i \lambda_i^2`,
gradient ``g`` and Hessian :math:`H = Cov_q(\phi) + diag(h)` at a proposal, let :math:`\eta^2 = g^T H^{-1} g` and
:math:`\rho` the diameter of the values of :math:`\phi` on the support in the norm of :math:`H^{-1}`.

Theorem. If :math:`\rho\eta < 1`, ``f`` has a minimiser :math:`\lambda^* = \lambda + \delta`, and on the support
:math:`|\log q^* - \log q| \le L := -\log(1 - \rho\eta)`, while :math:`f(\lambda) - \eta L/\rho \le f(\lambda^*) \le
f(\lambda)`.

Proof. Moving by :math:`\delta` multiplies the probabilities by factors within :math:`e^{\pm R}`, ``R`` the range of
:math:`\delta\cdot\phi`; a variance is the least of :math:`E(X-c)^2`, so :math:`H(\lambda+\delta) \ge e^{-R} H` (and
:math:`h \ge e^{-R} h \ge 0`). Let ``x`` be the length of :math:`\delta` in the norm of ``H``; then :math:`R \le \rho
x` and :math:`\delta\cdot(\nabla f(\lambda+\delta) - g) \ge x^2 \int_0^1 e^{-s\rho x} ds = x (1 - e^{-\rho x})/\rho`.
Where the right side exceeds :math:`x\eta \ge |\delta\cdot g|` the slope along :math:`\delta` is positive: so there is
a minimiser, with :math:`1 - e^{-\rho x} \le \rho\eta`. Hence :math:`R \le \rho x \le L`, and by convexity
:math:`f(\lambda) - f^* \le -g\cdot\delta \le \eta x`. (Hessians that change by a factor of the range: Bach 2010,
Electron. J. Stat. 4, self-concordance.)

Theorem. If every :math:`h_i > 0`, then for any proposal :math:`|\log q^* - \log q| \le \rho_h \eta_h` on the support and
:math:`f(\lambda) - \eta_h^2 / 2 \le f(\lambda^*)`, where :math:`\eta_h^2 = \sum_i g_i^2 / h_i` and :math:`\rho_h^2 = \sum_i
w_i^2 / h_i`, :math:`w_i` the range of :math:`\phi_i` on the support.

Proof. ``f`` less :math:`\tfrac12 \sum_i h_i \lambda_i^2` is convex, so that :math:`f(\lambda + \delta) \ge f(\lambda) + g \cdot
\delta + x^2/2`, where ``x`` is the length of :math:`\delta` in the norm of ``h``: at least :math:`f(\lambda) - x \eta_h + x^2/2`.
At the minimiser the slopes give :math:`x^2 \le -g \cdot \delta \le x \eta_h`; and :math:`\delta\cdot\phi` has a range of at most
:math:`\sum_i |\delta_i| w_i \le x \rho_h`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Enclosed(NamedTuple):
    """What is known of the tilt of given moments, as values.

    Attributes
    ----------
    q, log_q : (n,) the proposal's tilt.  spread : bound ``L`` on ``|log q* - log q|`` on the support.
    lower, upper : of the least divergence (with the penalty), ``-f(lambda*)``.  gradient : (d,) of ``f`` at the proposal.
    """

    q: Any
    log_q: Any
    spread: Any
    lower: Any
    upper: Any
    gradient: Any


def enclose(ops: Any, p: Any, phi: Any, psi: Any, lam: Any, ridge: Any, keep: Any, where: Any) -> Enclosed:
    """How near ``p exp(lam . phi) / Z`` is to the tilt with moments ``psi``.

    p (n,), phi (d, n), psi, lam, ridge, keep (d,); ``keep`` is one where a function counts, zero where it is left out;
    ``where`` (n,) is the known support of ``p``. Unbounded where the theorem's condition is not met.
    """
    d = phi.shape[0]
    phi, psi, lam = phi * keep[:, None], psi * keep, lam * keep
    x = ops.dot(ops.transpose(phi), lam[None, :])
    q = ops.gibbs(x, 1, weights=p, where=where)
    moments = ops.dot(phi, q[None, :])
    gradient = moments - psi + ridge * lam
    centred = ops.where(where[..., None, :], phi - moments[:, None], 0)
    H = ops.dot(centred[:, None, :] * q[None, None, :], centred[None, :, :])
    H = H + ops.identity(d) * (ridge + 1 - keep)[:, None]
    eta = ops.sqrt(ops.dot(gradient, ops.solve(H, gradient)))
    columns = [ops.solve(H, ops.identity(d)[j]) for j in range(d)]
    length = centred[0] * 0
    for j in range(d):
        along = ops.dot(ops.transpose(centred), columns[j][None, :])
        length = length + centred[j] * along
    rho = 2 * ops.sqrt(ops.largest(ops.where(where, length, 0)))  # any two points are within twice the radius
    spread = -ops.log(1 - rho * eta)
    f = ops.free_energy(x, 1, weights=p, where=where) - ops.dot(lam, psi) + ops.dot(ridge * lam, lam) / 2
    log_q = ops.log_gibbs(x, 1, weights=p, where=where)
    return Enclosed(q, log_q, spread, -f, eta * eta * _slack(ops, rho * eta) - f, gradient)


def by_penalty(ops: Any, phi: Any, found: Enclosed, ridge: Any, where: Any) -> tuple[Any, Any]:
    """``spread`` and ``upper`` by the second theorem, for any proposal; unbounded where ``ridge`` is zero."""
    among = where[..., None, :]
    w = ops.max(phi, among) - ops.min(phi, among)
    eta = ops.sum(found.gradient * found.gradient / ridge)
    return ops.sqrt(eta * ops.sum(w * w / ridge)), found.lower + eta / 2


def _slack(ops: Any, y: Any) -> Any:
    """At least ``-log(1 - y) / y`` for ``0 <= y < 1``, by its series: ``1 + y / (2 (1 - y))``."""
    return 1 + y / (2 * (1 - y))


def propose(p: np.ndarray, phi: np.ndarray, psi: np.ndarray, ridge: Any = 0.0, steps: int = 60) -> np.ndarray:
    """Dual variables (..., d) in float64 by damped Newton steps; p (..., n), phi (..., d, n), psi (..., d). No error
    is claimed.

    The NumPy twin of the compiled kernel, without its care for functions that are collinear or moments that nothing
    has.
    """
    lam = np.zeros(psi.shape)
    for _ in range(steps):
        x = np.einsum("...d,...dn->...n", lam, phi)
        q = p * np.exp(np.minimum(x - np.max(np.where(p > 0, x, -np.inf), axis=-1, keepdims=True), 0.0))
        q = q / q.sum(axis=-1, keepdims=True)
        mean = np.einsum("...dn,...n->...d", phi, q)
        centred = phi - mean[..., None]
        H = np.einsum("...dn,...n,...en->...de", centred, q, centred) + ridge * np.eye(psi.shape[-1])
        step = -np.einsum("...de,...e->...d", np.linalg.pinv(H), mean - psi + ridge * lam)
        along = np.einsum("...d,...dn->...n", step, phi)
        r = np.max(np.where(p > 0, along, -np.inf), axis=-1) - np.min(np.where(p > 0, along, np.inf), axis=-1)
        lam = lam + step * np.where(r > 1e-8, np.log1p(r) / np.where(r > 0, r, 1.0), 1.0)[..., None]
    return lam


def corrected_row(ops: Any, p: Any, phi: Any, psi: Any, where: Any) -> Any:
    """An enclosure (n,) of the tilt of ``p`` with the moments ``psi`` (d,) of ``phi`` (d, n): floats propose,
    ``enclose`` verifies.

    In balls Newton steps at the midpoints sharpen the proposal first. Unbounded where nothing is proved.
    """
    lam = ops.array(propose(ops.midpoint(p), ops.midpoint(phi), ops.midpoint(psi)), 1)
    zero, one = psi * 0, psi * 0 + 1
    for _ in range(max(0, (getattr(ops, "precision", 32) // 32).bit_length() - 1)):
        at = [ops.inflate(x, ops.constant(0)) for x in (p, phi, psi)]
        q = ops.inflate(
            ops.gibbs(ops.dot(ops.transpose(at[1]), lam[None, :]), 1, weights=at[0], where=where), ops.constant(0)
        )
        mean = ops.dot(at[1], q[None, :])
        centred = at[1] - mean[:, None]
        H = ops.dot(centred[:, None, :] * q[None, None, :], centred[None, :, :])
        lam = ops.inflate(lam - ops.solve(H, mean - at[2]), ops.constant(0))
    found = enclose(ops, p, phi, psi, lam, zero, one, where)
    return found.q * ops.exp(ops.inflate(found.spread * 0, found.spread))
