r"""EntGame / UCBVI-Ent, part 1: the two objectives, and the game behind the visitation entropy. Three steps of one model."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import Identity, Inequality, Witness, claim, distributions, families, policies, stronger, twin
from proofs_check.claim import no_endings
from proofs_check.claims.exploration.fast_entropy_models import PAPER, PLAN, RHO, SMALL, H, falling, split
from proofs_check.claims.planning.sac_models import given_policy
from tabular.reference import visitation
from tabular.regularizers import Hard, Shannon

STEPS: dict[str, Any] = {"family": SMALL, "draws": PLAN | RHO, "assumptions": (no_endings,), "instances": ()}


@claim(id="fast_entropy.C1", source=PAPER + ", section 2", kind="identity", **STEPS)
def trajectory_entropy(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Identity:
    r"""TE(\pi) = \mathcal H(\rho) + \sum_{h<H} E \mathcal H(\pi_h) + \sum_{h<H-1} E \mathcal H(P_h), which is
    \mathcal H(\rho) + \rho V_0^\pi of the model with transition entropies as rewards, none at the last step, and the
    policy's entropy. H = 3.

    The left side goes through all trajectories. The paper's start is one state, :math:`\mathcal H(\rho) = 0`. Proof: the chain
    rule of entropy, with the Markov property.
    """
    return _both(ops, m, [pi0, pi1, pi2], rho, 0)


def _both(ops: Any, m: Any, plan: list[Any], rho: Any, last: int) -> Identity:
    stages = [m] * H
    law = visitation.entropy(ops, visitation.trajectory_law(ops, stages, rho, plan))
    formula = visitation.trajectory_entropy(ops, stages, rho, plan, last)
    rewards = visitation.trajectory_rewards(ops, stages, last)
    value = visitation.entropy(ops, rho) + ops.dot(rho, visitation.policy_values(ops, stages, rewards, plan, 1))
    return Identity(ops.stack([law, law]), ops.stack([formula, value]), axes=("form",))


@twin(trajectory_entropy, why="the transition after the last step counts, too, as in the authors' code")
def trajectory_entropy_with_last(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Identity:
    return _both(ops, m, [pi0, pi1, pi2], rho, 1)


@twin(trajectory_entropy, why="policies' entropies alone")
def trajectory_entropy_of_policies(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Identity:
    plan, stages = [pi0, pi1, pi2], [m] * H
    value = visitation.policy_values(ops, stages, [0 * m.R] * H, plan, 1)
    law = visitation.entropy(ops, visitation.trajectory_law(ops, stages, rho, plan))
    return Identity(law, visitation.entropy(ops, rho) + ops.dot(rho, value))


@claim(id="fast_entropy.C1a", source=PAPER + ", section 3 (MTEE)", kind="inequality", **STEPS)
def trajectory_optimum(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Inequality:
    r"""TE(\pi) \le \mathcal H(\rho) + \rho V^*_0 for every Markov policy, V^*_h = \log \sum_a e^{Q^*_h}, Q^*_h =
    \mathcal H(P_h) 1\{h < H-1\} + P_h V^*_{h+1}.

    The softmax of :math:`Q^*_h` attains it. Proof: C1, and soft backward induction at temperature 1.
    """
    return _beside_optimum(ops, m, [pi0, pi1, pi2], rho, Shannon(ops.constant(1)))


def _beside_optimum(ops: Any, m: Any, plan: list[Any], rho: Any, regularizer: Any) -> Inequality:
    stages = [m] * H
    best = visitation.induction(ops, stages, visitation.trajectory_rewards(ops, stages), regularizer).V[0]
    return Inequality(
        visitation.trajectory_entropy(ops, stages, rho, plan),
        visitation.entropy(ops, rho) + ops.dot(rho, best),
        quotient=False,
    )


@twin(trajectory_optimum, why="one per cent less entropy of the policy in the optimum")
def trajectory_optimum_cooler(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Inequality:
    return _beside_optimum(ops, m, [pi0, pi1, pi2], rho, Shannon(ops.constant(0.99)))


@claim(id="fast_entropy.C2", source=PAPER + ", section 2", kind="inequality", **STEPS)
def below_visitation(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Inequality:
    r"""TE(\pi) \le VE(d^\pi) for all \pi and P.

    With equality iff the pairs of different steps are independent (C2a). Proof: entropy is subadditive.
    """
    stages, plan = [m] * H, [pi0, pi1, pi2]
    visits = visitation.occupancies(ops, stages, rho, plan)
    return Inequality(visitation.trajectory_entropy(ops, stages, rho, plan), visitation.visitation_entropy(ops, visits))


stronger(below_visitation, 0.99)


@twin(below_visitation, why="VE at most TE + log(S A): not where one coin decides five steps", family=split(), draws={})
def visitation_hardly_above(ops: Any, m: Any) -> Inequality:
    stages, plan, rho = [m] * 6, [ops.distribution([[1], [1], [1]])] * 6, ops.distribution([1, 0, 0], 1)
    visits = visitation.occupancies(ops, stages, rho, plan)
    allowed = visitation.trajectory_entropy(ops, stages, rho, plan) + ops.log(ops.constant(m.S * m.A))
    return Inequality(visitation.visitation_entropy(ops, visits), allowed)


@claim(id="fast_entropy.C2a", source="ours, after " + PAPER, kind="identity", **STEPS)
def total_correlation(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Identity:
    r"""VE(d^\pi) = TE(\pi) + KL(p^\pi \| d_0 \otimes \cdots \otimes d_{H-1}), p^\pi the law of the trajectory: the
    divergence vanishes iff the pairs of different steps are independent. H = 3.

    Proof: :math:`\log \prod_h d_h` has the mean :math:`-\sum_h \mathcal H(d_h)` under :math:`p^\pi`, whose marginals
    are the :math:`d_h`.
    """
    stages, plan = [m] * H, [pi0, pi1, pi2]
    d = visitation.occupancies(ops, stages, rho, plan)
    return Identity(
        visitation.visitation_entropy(ops, d),
        visitation.trajectory_entropy(ops, stages, rho, plan) + _divergence(ops, stages, rho, plan, d),
    )


def _divergence(ops: Any, stages: list[Any], rho: Any, plan: list[Any], d: list[Any]) -> Any:
    law = visitation.trajectory_law(ops, stages, rho, plan)
    product = d[0][:, :, None, None, None, None] * d[1][None, None, :, :, None, None] * d[2][None, None, None, None]
    parts = ops.relative_entropy(law, product, where=ops.support(product))
    for _ in range(2 * H - 1):
        parts = ops.sum(parts)
    return parts


@twin(total_correlation, why="half of the divergence")
def total_correlation_halved(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any) -> Identity:
    stages, plan = [m] * H, [pi0, pi1, pi2]
    d = visitation.occupancies(ops, stages, rho, plan)
    return Identity(
        visitation.visitation_entropy(ops, d),
        visitation.trajectory_entropy(ops, stages, rho, plan) + _divergence(ops, stages, rho, plan, d) / 2,
    )


@claim(
    id="fast_entropy.C3",
    family=SMALL,
    draws={"d": policies(), "q": policies(interior=True)},
    source=PAPER + ", section 3 (EntGame)",
    kind="identity",
    instances=(),
)
def forecaster_regret(ops: Any, m: Any, d: Any, q: Any) -> Identity:
    r"""\langle d, \log(1/q) \rangle = \mathcal H(d) + KL(d \| q), so that for fixed d the forecast q = d is the best,
    and \max_d \min_q \sum_h \langle d_h, \log(1/q_h) \rangle = \max_\pi VE(d^\pi).

    That :math:`\min_q \max_d` is the same follows from C6: its rounds close the gap. Proof: by definition.
    """
    return Identity(_paid(ops, m, d, q), visitation.row_entropy(ops, d) + ops.relative_entropy(d, q, m.mask), ("s",))


def _paid(ops: Any, m: Any, d: Any, q: Any) -> Any:
    return -ops.dot(d, ops.log(q, where=m.mask))


@twin(
    forecaster_regret,
    why="the divergence the wrong way round",
    draws={"d": policies(interior=True), "q": policies(interior=True)},
)
def forecaster_regret_reversed(ops: Any, m: Any, d: Any, q: Any) -> Identity:
    return Identity(_paid(ops, m, d, q), visitation.row_entropy(ops, d) + ops.relative_entropy(q, d, m.mask), ("s",))


@claim(
    id="fast_entropy.C3a",
    family=SMALL,
    draws=PLAN | RHO | {"q": policies(interior=True), "w": distributions()},
    assumptions=(no_endings,),
    source=PAPER + ", section 3 (EntGame)",
    kind="inequality",
    instances=(),
)
def best_response_bound(ops: Any, m: Any, pi0: Any, pi1: Any, pi2: Any, rho: Any, q: Any, w: Any) -> Inequality:
    r"""VE(d^\pi) \le \rho V_0, the best value for rewards \log(1/q_h(s,a)), for every \pi and all distributions q_h; a proof of
    how large VE can be.

    Proof: :math:`VE(d) \le \sum_h \langle d_h, \log(1/q_h) \rangle` by C3.
    """
    return _response(ops, m, [pi0, pi1, pi2], rho, _forecast(m, q, w), 1)


def _forecast(m: Any, q: Any, w: Any) -> Any:
    """A distribution over pairs, positive where they are available."""
    return (w[:, None] + Fraction(1, m.S)) / 2 * q


def _response(ops: Any, m: Any, plan: list[Any], rho: Any, q: Any, scale: Any) -> Inequality:
    stages = [m] * H
    reward = -ops.log(q * scale, where=m.mask)
    best = visitation.induction(ops, stages, [reward] * H, Hard()).V[0]
    visits = visitation.occupancies(ops, stages, rho, plan)
    return Inequality(visitation.visitation_entropy(ops, visits), ops.dot(rho, best))


@twin(
    best_response_bound,
    why="forecasts that sum to 1.01",
    family=families.bandits(2),
    draws={"pi": policies(), "q": policies(interior=True)},
)
def best_response_bound_of_more(ops: Any, m: Any, pi: Any, q: Any) -> Inequality:
    return _response(ops, m, [pi, pi, pi], ops.distribution([1], 1), q, 1.01)


@claim(
    id="fast_entropy.C3b",
    family=falling(),
    draws={"pi": given_policy([[3, 2], [1, 1]])},
    source="ours, after " + PAPER,
    kind="existence",
    instances=(),
)
def different_optima(ops: Any, m: Any, pi: Any) -> Witness:
    r"""The policy of largest trajectory entropy need not have the largest visitation entropy: TE counts every branching alike.

    Two states of two actions each, three steps from state 0, of which action 0 stays there, and everything else is in state 1 for
    ever. The uniform policy has the largest TE; staying with probability 3/5 visits more evenly. Proof: this instance.
    """
    return Witness(Inequality(*_two(ops, m, pi)))


def _two(ops: Any, m: Any, pi: Any) -> tuple[Any, Any]:
    stages, rho = [m] * H, ops.distribution([1, 0], 1)
    of = lambda plan: visitation.visitation_entropy(ops, visitation.occupancies(ops, stages, rho, plan))  # noqa: E731
    return of(visitation.trajectory_plan(ops, stages).pi), of([pi] * H)


@twin(different_optima, why="it has")
def same_optima(ops: Any, m: Any, pi: Any) -> Inequality:
    return Inequality(*_two(ops, m, pi)[::-1])
