r"""SoftRobust, part 1: the risk value of a policy is its value against the worst kernel.

:math:`\tilde V^\pi` is the fixed point of :math:`\langle\pi, r - \gamma\sigma(P, V)\rangle`; D the penalty in the dual of
:math:`\sigma`. Successors include the end, worth nothing.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, families, models, policies, scalars, temperatures, twin, values
from proofs_check.claim import discounted
from tabular.reference import risk as robust
from tabular.risk import CVaR, Entropic, Kernels

GAMMAS = (0.5, 0.75, 0.9375)
MOSTLY_RANDOM = families.mixed(
    *(families.garnet(3, 2, gamma=GAMMAS, resolution=n) for n in range(49, 64)),
    families.deterministic(3, 2, gamma=GAMMAS),  # where nothing is random, much is attained
)
ENDINGS = families.random_endings(3, 2, gamma=GAMMAS)
SMALL = (MOSTLY_RANDOM, ENDINGS)
BETA = {"beta": temperatures(orders=6)}
THEOREM = "Zhang, Hu and Li 2024, the equivalence theorem"


def _worst(ops: Any, m: Any, pi: Any, risk: Any) -> tuple[Any, Any, Any, Any]:
    """Successors p, the risk value of the policy, its worst kernel, and its penalty (S, A)."""
    p = ops.successors(m)
    V = robust.policy_value(ops, m, p, pi, risk)
    q = robust.worst(ops, p, V, risk)
    return p, V, q, risk.penalty(ops, q, p)


@claim(
    id="soft_robust.C1",
    family=SMALL,
    draws=BETA | {"pi": policies()},
    assumptions=(discounted,),
    source=THEOREM,
    kind="identity",
    instances=(),
)
def equivalence(ops: Any, m: Any, beta: Any, pi: Any) -> Identity:
    r"""\tilde V^\pi is the value of \pi where transitions are \hat P \propto P e^{-\beta \tilde V^\pi} and rewards are r +
    \gamma D(\hat P, P), D = KL / \beta.

    Proof: at the maximiser of the dual :math:`-\sigma(P, \tilde V^\pi) = \langle \hat P, \tilde V^\pi \rangle + D`, so
    :math:`\tilde V^\pi` solves the linear equation of that value.
    """
    _, V, q, D = _worst(ops, m, pi, Entropic(beta))
    return Identity(robust.value_under(ops, m, q, pi, m.gamma * D), V, axes=("s",))


@twin(equivalence, family=ENDINGS, why="rewards r + D, without the discount")
def equivalence_undiscounted(ops: Any, m: Any, beta: Any, pi: Any) -> Identity:
    _, V, q, D = _worst(ops, m, pi, Entropic(beta))
    return Identity(robust.value_under(ops, m, q, pi, D), V, axes=("s",))


@twin(equivalence, family=ENDINGS, why="without the penalty")
def equivalence_without_penalty(ops: Any, m: Any, beta: Any, pi: Any) -> Identity:
    _, V, q, _ = _worst(ops, m, pi, Entropic(beta))
    return Identity(robust.value_under(ops, m, q, pi), V, axes=("s",))


@claim(
    id="soft_robust.C1a",
    family=SMALL,
    draws=BETA | {"pi": policies(), "W": values()},
    assumptions=(discounted,),
    source=THEOREM,
    kind="inequality",
    instances=(),
)
def no_kernel_is_worse(ops: Any, m: Any, beta: Any, pi: Any, W: Any) -> Inequality:
    r"""Against any other stationary kernel, here P e^{-W} normalised, with rewards r + \gamma D, the value of \pi is at least
    \tilde V^\pi in each state.

    Proof: :math:`\tilde V^\pi` is at most the backup of itself under that kernel, whose iterates rise to that value.
    """
    p = ops.successors(m)
    q = ops.gibbs(-robust.at_successors(ops, p, W), 1, weights=p)
    D = Entropic(beta).penalty(ops, q, p)
    other = robust.value_under(ops, m, q, pi, m.gamma * D)
    return Inequality(robust.policy_value(ops, m, p, pi, Entropic(beta)), other, axes=("s",))


@twin(no_kernel_is_worse, family=ENDINGS, why="without the penalty: the adversary moves for nothing")
def no_kernel_is_worse_for_nothing(ops: Any, m: Any, beta: Any, pi: Any, W: Any) -> Inequality:
    p = ops.successors(m)
    q = ops.gibbs(-robust.at_successors(ops, p, W), 1, weights=p)
    return Inequality(
        robust.policy_value(ops, m, p, pi, Entropic(beta)), robust.value_under(ops, m, q, pi), axes=("s",)
    )


@twin(no_kernel_is_worse, family=ENDINGS, why="half the penalty")
def no_kernel_is_worse_at_half_price(ops: Any, m: Any, beta: Any, pi: Any, W: Any) -> Inequality:
    p = ops.successors(m)
    q = ops.gibbs(-robust.at_successors(ops, p, W), 1, weights=p)
    D = Entropic(beta).penalty(ops, q, p) / 2
    other = robust.value_under(ops, m, q, pi, m.gamma * D)
    return Inequality(robust.policy_value(ops, m, p, pi, Entropic(beta)), other, axes=("s",))


LEVEL = {"level": scalars(1 / 1024, 1.0)}


@claim(
    id="soft_robust.C1b",
    family=SMALL,
    draws=LEVEL | {"pi": policies()},
    assumptions=(discounted,),
    source=THEOREM,
    kind="identity",
    instances=(),
)
def equivalence_of_sets(ops: Any, m: Any, level: Any, pi: Any) -> Identity:
    r"""For the conditional value at risk \tilde V^\pi is the value of \pi under its worst kernel \hat P \le P / level, rewards r: a
    standard robust MDP. Exact.

    Proof: that of C1, with D = 0 on the set.
    """
    _, V, q, _ = _worst(ops, m, pi, CVaR(level))
    return Identity(robust.value_under(ops, m, q, pi), V, axes=("s",))


@twin(equivalence_of_sets, family=ENDINGS, why="under the nominal kernel")
def equivalence_of_the_nominal(ops: Any, m: Any, level: Any, pi: Any) -> Identity:
    p, V, _, _ = _worst(ops, m, pi, CVaR(level))
    return Identity(robust.value_under(ops, m, p, pi), V, axes=("s",))


def _within(ops: Any, m: Any, level: Any, pi: Any, W: Any, seen: Any) -> Inequality:
    """The value that sees a share of the mass, against that under P u normalised, u from ``level`` to 1."""
    p = ops.successors(m)
    x = robust.at_successors(ops, p, W)
    u = p * (level + (1 - level) / (1 + x * x))
    other = robust.value_under(ops, m, u / ops.sum(u)[..., None], pi)
    return Inequality(robust.policy_value(ops, m, p, pi, CVaR(seen)), other, axes=("s",))


AMONG: dict[str, Any] = {
    "family": SMALL,
    "assumptions": (discounted,),
    "source": THEOREM,
    "kind": "inequality",
    "instances": (),
}


@claim(id="soft_robust.C1c", draws=LEVEL | {"pi": policies(), "W": values()}, **AMONG)
def no_kernel_of_the_set_is_worse(ops: Any, m: Any, level: Any, pi: Any, W: Any) -> Inequality:
    r"""C1a for the conditional value at risk, exactly: under any kernel \hat P \le P / level, here P u normalised with level \le
    u \le 1, the value of \pi is at least \tilde V^\pi in each state.

    Proof: that of C1a; the normaliser is at least the level, so that the kernel is in the set.
    """
    return _within(ops, m, level, pi, W, level)


@twin(no_kernel_of_the_set_is_worse, family=ENDINGS, why="at a level half way to 1")
def no_kernel_is_worse_for_more_mass(ops: Any, m: Any, level: Any, pi: Any, W: Any) -> Inequality:
    return _within(ops, m, level, pi, W, (1 + level) / 2)


OTHERS = {"p1": models(), "p2": models()}


def three_kernels(ops: Any, m: Any, others: tuple[Any, ...]) -> Kernels:
    """The model's own and others of its family; where the model has no such pair, its own."""
    p = ops.successors(m)
    return Kernels(ops.stack([p, *(ops.where(m.mask[..., None], ops.successors(x), p) for x in others)]))


def _own_and_other(ops: Any, m: Any, p1: Any, p2: Any, pi: Any) -> tuple[Any, Any]:
    """The value against all three kernels, and that under the second."""
    three = three_kernels(ops, m, (p1, p2))
    own = robust.policy_value(ops, m, ops.successors(m), pi, three)
    return own, robust.value_under(ops, m, three.rows[1], pi)


@claim(
    id="soft_robust.C1d",
    draws=OTHERS | {"pi": policies()},
    **AMONG | {"family": (families.garnet(3, 2), families.random_endings(3, 2), families.switches(3, 2))},
)
def no_choice_is_worse(ops: Any, m: Any, p1: Any, p2: Any, pi: Any) -> Inequality:
    r"""C1a for three kernels, of which the adversary picks one in each pair: under each of them the value of \pi is at least
    \tilde V^\pi in each state, exactly.

    Proof: that of C1a, with D = 0 on the set.
    """
    own, other = _own_and_other(ops, m, p1, p2, pi)
    return Inequality(own, other, axes=("s",))


@twin(no_choice_is_worse, why="at most")
def no_choice_is_better(ops: Any, m: Any, p1: Any, p2: Any, pi: Any) -> Inequality:
    own, other = _own_and_other(ops, m, p1, p2, pi)
    return Inequality(other, own, axes=("s",))
