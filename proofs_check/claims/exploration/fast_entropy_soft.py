r"""UCBVI-Ent, part 3: why soft policies make the rate fast. What errors of Q cost a softmax, and a greedy policy.

Two steps of a model with its own rewards and an entropy of weight :math:`\lambda`: :math:`Q^*_h` by soft backward induction,
:math:`\bar Q_h = Q^*_h + \lambda e_h` and :math:`\bar\pi_h = \mathrm{softmax}(\bar Q_h / \lambda)`. What ends is worth nothing.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, Scaling, claim, families, q_values, scalars, stronger, temperatures, twin
from proofs_check.claims.exploration.fast_entropy_models import PAPER, errors, even, far_ahead
from proofs_check.claims.planning.sac_models import relative_temperature
from tabular.reference import visitation
from tabular.regularizers import Hard, Shannon

STEPS = 2
LEMMA = PAPER + ", the regularised gap lemma (UCBVI-Ent)"
ERRORS: dict[str, Any] = {
    "family": (
        families.garnet(3, 2), families.random_masks_endings(3, 3), families.deterministic(3, 2), families.bandits(2), even(),
    ),
    "draws": {"e0": errors(), "e1": errors(), "late": scalars(0.0, 1.0), "heat": temperatures(orders=2)},
    "kind": "inequality",
    "instances": (),
}  # fmt: skip

LARGE = ERRORS["draws"] | {"e0": q_values(), "e1": q_values()}  # of small ones the identity sees only cancellation


class Soft:
    """The soft optimum at weight ``lam``, and the softmax of action values that are off by ``lam`` times ``off``."""

    def __init__(self, ops: Any, m: Any, lam: Any, off: list[Any]) -> None:
        self.ops, self.m, self.lam, self.off = ops, m, lam, off
        reg = Shannon(lam)
        self.best = visitation.induction(ops, [m] * STEPS, [m.R] * STEPS, reg)
        self.Q = [Q + lam * e for Q, e in zip(self.best.Q, off, strict=True)]
        self.pi = [reg.policy(ops, Q, m.mask) for Q in self.Q]

    def expected(self, plan: list[Any], costs: list[Any]) -> Any:
        """Costs (S,) of both steps, added along the way of a policy: (S,)."""
        V = 0 * costs[0]
        for pi, cost in zip(reversed(plan), reversed(costs), strict=True):
            V = cost + self.ops.dot(pi, self.ops.expect(self.m.P, V))
        return V

    def lost(self) -> Any:
        r""":math:`V^*_0 - V^{\bar\pi}_0`, as the sum of divergences that it is (C7a): nothing cancels."""
        ops, m = self.ops, self.m
        costs = [
            self.lam * ops.relative_entropy(pi, best, m.mask) for pi, best in zip(self.pi, self.best.pi, strict=True)
        ]
        return self.expected(self.pi, costs)

    def squares(self, plan: list[Any]) -> Any:
        r""":math:`E_\pi \sum_h \max_a |\bar Q_h - Q^*_h|^2 / \lambda`."""
        worst = [self.ops.max(self.ops.abs(e), where=self.m.mask) for e in self.off]
        return self.expected(plan, [self.lam * x * x for x in worst])


def _soft(ops: Any, m: Any, e0: Any, e1: Any, late: Any, heat: Any) -> Soft:
    lam = relative_temperature(ops, m.R, heat)
    return Soft(ops, m, lam, [e0, late * e1])


@claim(id="fast_entropy.C7a", source=LEMMA, **(ERRORS | {"kind": "identity", "draws": LARGE}))
def divergences(ops: Any, m: Any, e0: Any, e1: Any, late: Any, heat: Any) -> Identity:
    r"""V^*_0 - V^\pi_0 = \lambda E_\pi \sum_h KL(\pi_h \| \pi^*_h), here for \pi = softmax(\bar Q / \lambda).

    Proof: :math:`\langle \pi, Q^* \rangle + \lambda \mathcal H(\pi) = V^* - \lambda KL(\pi \| \pi^*)` at each step, and induction.
    """
    s = _soft(ops, m, e0, e1, late, heat)
    value = visitation.policy_values(ops, [m] * STEPS, [m.R] * STEPS, s.pi, s.lam)
    return Identity(s.best.V[0] - value, s.lost(), axes=("s",))


@twin(divergences, why="divergences the wrong way round")
def divergences_reversed(ops: Any, m: Any, e0: Any, e1: Any, late: Any, heat: Any) -> Identity:
    s = _soft(ops, m, e0, e1, late, heat)
    value = visitation.policy_values(ops, [m] * STEPS, [m.R] * STEPS, s.pi, s.lam)
    pairs = zip(s.pi, s.best.pi, strict=True)
    costs = [s.lam * ops.relative_entropy(best, pi, m.mask) for pi, best in pairs]
    return Identity(s.best.V[0] - value, s.expected(s.pi, costs), axes=("s",))


@claim(id="fast_entropy.C7", source=LEMMA, **ERRORS)
def gap_lemma(ops: Any, m: Any, e0: Any, e1: Any, late: Any, heat: Any) -> Inequality:
    r"""V^*_0 - V^{\bar\pi}_0 \le \frac{1}{2\lambda} E_{\bar\pi} \sum_h \max_a |\bar Q_h - Q^*_h|^2 for \bar\pi =
    softmax(\bar Q/\lambda), from every state.

    Attained, in the limit, by small opposite errors of two actions that are alike. Proof: at a step the loss is
    :math:`F(Q^*) - F(\bar Q) - \langle \nabla F(\bar Q), Q^* - \bar Q \rangle` for :math:`F(Q) = \lambda \log \sum_a
    e^{Q_a/\lambda}`, whose second derivative along :math:`\delta = Q^* - \bar Q` is a variance of :math:`\delta` over
    :math:`\lambda`, at most :math:`\max_a \delta_a^2 / \lambda`; unrolled under :math:`\bar\pi`.
    """
    s = _soft(ops, m, e0, e1, late, heat)
    return Inequality(s.lost(), s.squares(s.pi) / 2, axes=("s",))


stronger(gap_lemma, 0.5, why="1/(4 lambda)")
stronger(gap_lemma, 0.99, why="0.99/(2 lambda)", family=even())


@twin(gap_lemma, why="the expectation under the optimal policy", family=far_ahead(), draws={})
def gap_lemma_under_the_optimum(ops: Any, m: Any) -> Inequality:
    r"""Errors (-4, 4) in state 0 at first, then (-20, 20) in state 1, where the optimal policy hardly goes; \lambda = 1."""
    s = Soft(ops, m, ops.constant(1), [ops.array([[-4, 4], [0, 0]], 2), ops.array([[0, 0], [-20, 20]], 2)])
    return Inequality(s.lost()[0], s.squares(s.best.pi)[0] / 2)


@claim(id="fast_entropy.C7b", source="ours, after " + LEMMA, **ERRORS)
def gap_lemma_of_optimists(ops: Any, m: Any, e0: Any, e1: Any, late: Any, heat: Any) -> Inequality:
    r"""If \bar Q \ge Q^* everywhere, V^*_0 - V^{\bar\pi}_0 \le \frac{1}{8\lambda} E_{\bar\pi} \sum_h \max_a |\bar Q_h - Q^*_h|^2.

    Attained, in the limit, by a small error of one of two actions that are alike. Proof: as C7; the variance of a quantity in
    :math:`[0, M]` is at most :math:`M^2/4`.
    """
    s = _soft(ops, m, ops.abs(e0), ops.abs(e1), late, heat)
    return Inequality(s.lost(), s.squares(s.pi) / 8, axes=("s",))


stronger(gap_lemma_of_optimists, 8 / 9, why="1/(9 lambda)")
stronger(gap_lemma_of_optimists, 0.99, why="0.99/(8 lambda)", family=even())


@twin(gap_lemma_of_optimists, why="errors of both signs")
def gap_lemma_of_others(ops: Any, m: Any, e0: Any, e1: Any, late: Any, heat: Any) -> Inequality:
    s = _soft(ops, m, e0, e1, late, heat)
    return Inequality(s.lost(), s.squares(s.pi) / 8, axes=("s",))


WIDTHS = [2.0**-k for k in range(9, 2, -1)]
ARMS: dict[str, Any] = {
    "family": even(),
    "draws": {"c": scalars(0.25, 1.0), "u": scalars(-1.0, 1.0)},
    "source": PAPER + ", section 4 (fast rates)",
    "kind": "rate",
    "instances": (),
}


def _arms(ops: Any, lead: Any, shift: Any) -> Any:
    """Two actions that reach a state worth 1 with probabilities 1/2 and 1/2 + lead; ``shift`` goes from the one to the other."""
    half = ops.constant(1) / 2
    return ops.stack([half + shift, half + lead - shift])


def _lost(ops: Any, m: Any, true: Any, estimated: Any, regularizer: Any, tau: int) -> Any:
    """What the plug-in policy of the estimated model loses in the true one."""
    pi = regularizer.policy(ops, estimated[None, :], m.mask)[0]
    best = regularizer.conjugate(ops, true[None, :], m.mask)[0]
    return best - ops.dot(pi, true) - tau * visitation.row_entropy(ops, pi)


def _soft_losses(ops: Any, m: Any, c: Any, u: Any) -> list[Any]:
    reg = Shannon(ops.constant(1))
    return [_lost(ops, m, _arms(ops, u / 4, 0), _arms(ops, u / 4, c * x / 4), reg, 1) for x in WIDTHS[::-1]][::-1]


def _greedy_losses(ops: Any, m: Any, c: Any) -> list[Any]:
    """The better action leads by c x / 4, and an error of that size on both hides it: the worst case for a width x."""
    lead = [c * x / 4 for x in WIDTHS]
    return [_lost(ops, m, _arms(ops, y, 0), _arms(ops, y, y), Hard(), 0) for y in lead]


@claim(id="fast_entropy.C8", **ARMS)
def soft_rate(ops: Any, m: Any, c: Any, u: Any) -> Scaling:
    r"""Where the transitions of two arms are off by \varepsilon, the plug-in softmax policy loses of the order of \varepsilon^2:
    \varepsilon = 2^{-9} ... 2^{-3}, any lead of one arm.

    Proof: at most by C7; here the loss is a divergence of two softmax policies whose logits differ by :math:`c \varepsilon / 2`.
    """
    return Scaling(WIDTHS, _soft_losses(ops, m, c, u), 1.9, 2.1)


@twin(soft_rate, why="slope 1")
def soft_rate_of_one(ops: Any, m: Any, c: Any, u: Any) -> Scaling:
    return Scaling(WIDTHS, _soft_losses(ops, m, c, u), 0.9, 1.1)


@claim(id="fast_entropy.C8a", **ARMS)
def greedy_rate(ops: Any, m: Any, c: Any, u: Any) -> Scaling:
    r"""Without entropy the greedy plug-in policy loses of the order of \varepsilon on instances whose action gap is of that order:
    \varepsilon = 2^{-9} ... 2^{-3}.

    Proof: the gap is :math:`c \varepsilon / 4`, the estimate has it the other way round, and the greedy policy loses it.
    """
    return Scaling(WIDTHS, _greedy_losses(ops, m, c), 0.9, 1.1)


@twin(greedy_rate, why="slope 2")
def greedy_rate_of_two(ops: Any, m: Any, c: Any, u: Any) -> Scaling:
    return Scaling(WIDTHS, _greedy_losses(ops, m, c), 1.9, 2.1)


@twin(greedy_rate, why="softmax policies on the same instances")
def greedy_rate_of_softmax(ops: Any, m: Any, c: Any, u: Any) -> Scaling:
    return Scaling(WIDTHS, _soft_losses(ops, m, c, 0 * u), 0.9, 1.1)
