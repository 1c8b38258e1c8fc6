r"""SAC, part 2: restricted classes of policies. Rows for each state, or one row for all.

A class of rows holds the old policy and three others, any of which may be chosen in each state. Rows whose
divergences differ by less than :math:`2^{-16}` nats count as tied, and the first is kept: the lemma asks no more of
the new row than a divergence not above that of the old one.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import (
    Inequality,
    Witness,
    claim,
    distributions,
    families,
    policies,
    q_values,
    scalars,
    stronger,
    temperatures,
    twin,
)
from proofs_check.claim import all_available, discounted
from proofs_check.claims.planning.sac_improvement import HAARNOJA, PAIR
from proofs_check.claims.planning.sac_models import SMALL, given_policy, one_logit, relative_temperature, two_arms
from tabular.reference import operators, soft_policies
from tabular.regularizers import Shannon

TAU = {"tau": temperatures(orders=8)}
INTERIOR = policies(interior=True)
ROWS = {"pi": INTERIOR, "c1": INTERIOR, "c2": INTERIOR, "c3": INTERIOR} | TAU


def _chosen(ops: Any, m: Any, Q: Any, tau: Any, rows: list[Any]) -> Any:
    """The reverse-KL projection of the softmax of Q, state by state."""
    scores = [soft_policies.score(ops, m, row, Q, Shannon(tau)) for row in rows]
    return soft_policies.projected(ops, rows, scores, soft_policies.TIE * tau)


@claim(
    id="sac.C2a",
    family=families.general(),
    draws=ROWS,
    assumptions=(discounted,),
    source=HAARNOJA + ", Lemma 2",
    kind="inequality",
)
def improvement_in_a_class(ops: Any, m: Any, pi: Any, c1: Any, c2: Any, c3: Any, tau: Any) -> Inequality:
    r"""Q^{\pi'} \ge Q^\pi at every pair, for \gamma < 1 and \pi' the statewise reverse-KL projection onto a class that holds \pi.

    Proof: the step C2b says :math:`T^{\pi'}_\tau Q^\pi \ge T^\pi_\tau Q^\pi = Q^\pi`; :math:`T^{\pi'}_\tau` is monotone.
    """
    reg = Shannon(tau)
    Q = operators.q_of_policy(ops, m, pi, reg)
    new = _chosen(ops, m, Q, tau, [pi, c1, c2, c3])
    return Inequality(Q, operators.q_of_policy(ops, m, new, reg), axes=PAIR)


@twin(
    improvement_in_a_class,
    why="the projection of the forward divergence KL(softmax || pi), which would rather cover than choose",
    family=two_arms(),
    draws={"pi": given_policy([[199, 1]]), "tau": scalars(1.0, 1.0)}
    | dict.fromkeys(("c1", "c2", "c3"), given_policy([[7, 3]])),
)
def improvement_by_the_forward_divergence(ops: Any, m: Any, pi: Any, c1: Any, c2: Any, c3: Any, tau: Any) -> Inequality:
    reg, rows = Shannon(tau), [pi, c1, c2, c3]
    Q = operators.q_of_policy(ops, m, pi, reg)
    target = reg.policy(ops, Q, m.mask)
    scores = [ops.sum(ops.xlogy(target, row, where=m.mask)) for row in rows]
    new = soft_policies.projected(ops, rows, scores, soft_policies.TIE)
    return Inequality(Q, operators.q_of_policy(ops, m, new, reg), axes=PAIR)


@twin(improvement_in_a_class, why="a class without the old policy")
def improvement_in_another_class(ops: Any, m: Any, pi: Any, c1: Any, c2: Any, c3: Any, tau: Any) -> Inequality:
    reg = Shannon(tau)
    Q = operators.q_of_policy(ops, m, pi, reg)
    new = _chosen(ops, m, Q, tau, [c1, c2, c3])
    return Inequality(Q, operators.q_of_policy(ops, m, new, reg), axes=PAIR)


@claim(
    id="sac.C2b",
    family=SMALL,
    draws=ROWS,
    assumptions=(discounted,),
    source=HAARNOJA + ", proof of Lemma 2",
    kind="inequality",
    instances=(),
)
def step(ops: Any, m: Any, pi: Any, c1: Any, c2: Any, c3: Any, tau: Any) -> Inequality:
    r"""\langle \pi', Q^\pi - \tau \log \pi' \rangle \ge \langle \pi, Q^\pi - \tau \log \pi \rangle = V^\pi in each state.

    Proof: C4, since :math:`\pi'` has the smaller divergence.
    """
    reg = Shannon(tau)
    V = ops.evaluate(m, pi, reg)
    Q = operators.q_backup(ops, m, V)
    new = _chosen(ops, m, Q, tau, [pi, c1, c2, c3])
    return Inequality(V, soft_policies.score(ops, m, new, Q, reg), axes=("s",))


@twin(step, why="the entropy is that of the old policy on both sides")
def step_without_entropy(ops: Any, m: Any, pi: Any, c1: Any, c2: Any, c3: Any, tau: Any) -> Inequality:
    Q = operators.q_of_policy(ops, m, pi, Shannon(tau))
    new = _chosen(ops, m, Q, tau, [pi, c1, c2, c3])
    return Inequality(ops.dot(pi, Q), ops.dot(new, Q), axes=("s",))


def _shared(ops: Any, m: Any, row: Any, d: Any, tau: Any) -> tuple[Any, Any, Any]:
    """The policy that plays ``row`` everywhere, its values, and its projection in the mean over the distribution ``d``."""
    old = m.R * 0 + row[None, :]
    V = ops.evaluate(m, old, Shannon(tau))
    return old, V, soft_policies.mean_row(ops, m, d, operators.q_backup(ops, m, V), tau)


@claim(
    id="sac.C5",
    family=one_logit(),
    draws={"pi": given_policy([[7, 1], [7, 1]])},
    source="ours, after " + HAARNOJA + ", Lemma 2",
    kind="existence",
    instances=(),
)
def shared_parameters(ops: Any, m: Any, pi: Any) -> Witness:
    r"""With one row for all states, projected in the mean over the old visits, Q^{\pi'} < Q^\pi at every pair is possible.

    Two states, one logit, :math:`\tau = 1`; action 1 has probability 1/8 at first: normalised visits from state 0 are
    (8/9, 1/9). Proof: this instance, in balls; its last entry says that the new row is better in that mean, as the
    closed form of the projection has it.
    """
    tau, d = ops.constant(1), ops.array([Fraction(8, 9), Fraction(1, 9)], 1)
    old, V, new = _shared(ops, m, pi[0], d, tau)
    reg, Q = Shannon(tau), operators.q_backup(ops, m, V)
    after = operators.q_of_policy(ops, m, new, reg)
    means = [ops.dot(d, soft_policies.score(ops, m, row, Q, reg)) for row in (old, new)]
    lower = ops.stack([after[0, 0], after[0, 1], after[1, 0], after[1, 1], means[0]])
    higher = ops.stack([Q[0, 0], Q[0, 1], Q[1, 0], Q[1, 1], means[1]])
    return Witness(Inequality(lower, higher, axes=("part",)))


@twin(shared_parameters, why="Lemma 2 as for rows of each state, on this instance")
def shared_parameters_improve(ops: Any, m: Any, pi: Any) -> Inequality:
    tau, d = ops.constant(1), ops.array([Fraction(8, 9), Fraction(1, 9)], 1)
    _, V, new = _shared(ops, m, pi[0], d, tau)
    return Inequality(operators.q_backup(ops, m, V), operators.q_of_policy(ops, m, new, Shannon(tau)), axes=PAIR)


SHARED = {"pi": policies(), "d": distributions(), "tau": temperatures(orders=2)}
HALF = (0.5, 0.875)


@claim(
    id="sac.C5a",
    family=(
        families.garnet(3, 2, gamma=HALF),
        families.random_endings(3, 2, gamma=HALF),
        families.deterministic(3, 2, gamma=HALF),
        families.self_loops(2, 2, gamma=HALF),
    ),
    draws=SHARED,
    assumptions=(discounted, all_available),
    source="ours",
    kind="inequality",
    instances=(),
)
def improvement_up_to_the_worst_state(ops: Any, m: Any, pi: Any, d: Any, tau: Any) -> Inequality:
    r"""Q^{\pi'} \ge Q^\pi - \gamma v / (1 - \gamma), v = \max_s (V^\pi - \langle \pi', Q^\pi - \tau \log \pi'
    \rangle)^+, for \gamma < 1.

    For any two policies; here both play one row in all states. v = 0, the inequality of C2b in every state, is all
    that Lemma 2 needs. Proof: :math:`T_{\pi'} V^\pi \ge V^\pi - v`, so that :math:`V^{\pi'} \ge V^\pi - v/(1-\gamma)`
    by monotony and :math:`T(V - c) \ge TV - \gamma c`; then one backup.
    """
    return _up_to(ops, m, pi, d, tau, 1 / (1 - m.gamma))


def _up_to(ops: Any, m: Any, pi: Any, d: Any, tau: Any, stay: Any) -> Inequality:
    _, V, new = _shared(ops, m, pi[0], d, tau)
    reg, Q = Shannon(tau), operators.q_backup(ops, m, V)
    worst = ops.maximum(ops.largest(V - soft_policies.score(ops, m, new, Q, reg)), 0)
    return Inequality(Q - operators.q_of_policy(ops, m, new, reg), m.gamma * stay * worst, axes=PAIR)


@twin(improvement_up_to_the_worst_state, why="Lemma 2 as for rows of each state")
def improvement_of_shared_rows(ops: Any, m: Any, pi: Any, d: Any, tau: Any) -> Inequality:
    return _up_to(ops, m, pi, d, tau, 0)


@twin(improvement_up_to_the_worst_state, why="what a single step loses")
def improvement_up_to_one_step(ops: Any, m: Any, pi: Any, d: Any, tau: Any) -> Inequality:
    return _up_to(ops, m, pi, d, tau, 1)


up_to_less = stronger(improvement_up_to_the_worst_state, 0.99, family=families.self_loops(2, 2, gamma=HALF))


@claim(
    id="sac.C5b",
    family=(families.garnet(3, 2), families.garnet(2, 4), families.self_loops(2, 2)),
    draws={"pi": policies(), "Q": q_values(), "d": distributions(), "heat": temperatures(orders=2)},
    assumptions=(all_available,),
    source="ours",
    kind="inequality",
    instances=(),
)
def best_shared_row(ops: Any, m: Any, pi: Any, Q: Any, d: Any, heat: Any) -> Inequality:
    r"""\sum_s d_s \langle p, Q_s - \tau \log p \rangle \le \sum_s d_s \langle p', Q_s - \tau \log p' \rangle, p' =
    sm_\tau(\sum_s d_s Q_s), for every row p.

    So the projection in the mean over d onto policies of one row is this softmax. Proof: C4 for the mean of Q, to which both
    sides come down.
    """
    tau = relative_temperature(ops, Q, heat)
    return _beside_row(ops, m, pi, Q, d, tau, soft_policies.mean_row(ops, m, d, Q, tau))


def _beside_row(ops: Any, m: Any, pi: Any, Q: Any, d: Any, tau: Any, best: Any) -> Inequality:
    """Mean scores over ``d`` of the policy that plays ``pi[0]`` everywhere, and of ``best``."""
    row, reg = m.R * 0 + pi[0][None, :], Shannon(tau)
    given, found = (ops.dot(d, soft_policies.score(ops, m, p, Q, reg)) for p in (row, best))
    return Inequality(given, found, quotient=False)


@twin(best_shared_row, why="the mean of the softmaxes, which is the projection of the forward divergence")
def mean_of_softmaxes(ops: Any, m: Any, pi: Any, Q: Any, d: Any, heat: Any) -> Inequality:
    tau = relative_temperature(ops, Q, heat)
    rows = Shannon(tau).policy(ops, Q, m.mask)
    mean = ops.dot(d[None, :], ops.transpose(rows))
    return _beside_row(ops, m, soft_policies.mean_row(ops, m, d, Q, tau), Q, d, tau, m.R * 0 + mean[None, :])


@twin(best_shared_row, why="a mean that forgets the weights")
def best_row_for_equal_weights(ops: Any, m: Any, pi: Any, Q: Any, d: Any, heat: Any) -> Inequality:
    tau = relative_temperature(ops, Q, heat)
    best = soft_policies.mean_row(ops, m, d * 0 + ops.constant(Fraction(1, m.S)), Q, tau)
    return _beside_row(ops, m, soft_policies.mean_row(ops, m, d, Q, tau), Q, d, tau, best)
