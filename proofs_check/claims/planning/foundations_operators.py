r"""Foundations, part 1: Bellman operators, hard and regularised.

Throughout, :math:`Q_V(s,a) = R(s,a) + \gamma \sum_t P(t|s,a) V(t)` and :math:`TV = \Omega^*(Q_V)` with the conjugate
of a regulariser, the maximum where there is none; rows of :math:`P` have mass :math:`1 - end \le 1`.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, families, policies, scalars, stronger, temperatures, twin, values
from proofs_check.claim import no_endings
from tabular.reference import operators
from tabular.regularizers import Shannon, ShannonKL

PAIR = {"V": values(), "W": values(like="V")}
GEIST = "Geist, Scherrer and Pietquin 2019"
ALMOST = 0.99  # of a bound that is attained, so that its twin falls


@claim(id="foundations.C1", family=families.general(), draws=PAIR, source="Puterman 1994, chapter 6", kind="inequality")
def contraction(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    r"""\|TV - TW\|_\infty \le \gamma \|V - W\|_\infty for the optimality backup.

    Proof: :math:`|\max_a x_a - \max_a y_a| \le \max_a |x_a - y_a|`, and rows of P have mass at most one. Attained by V = W + c.
    """
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma * ops.norm(V - W))


@twin(contraction, why="gamma squared: a shift of V shrinks by gamma alone")
def contraction_squared(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma**2 * ops.norm(V - W))


contraction_almost = stronger(contraction, ALMOST)


@claim(
    id="foundations.C2",
    family=families.general(),
    draws=PAIR | {"tau": temperatures()},
    source=GEIST,
    kind="inequality",
)
def soft_contraction(ops: Any, m: Any, V: Any, W: Any, tau: Any) -> Inequality:
    r"""\|T_\tau V - T_\tau W\|_\infty \le \gamma \|V - W\|_\infty at every temperature.

    Proof: the gradient of the log-sum-exp is a probability vector, so that it is 1-Lipschitz in the sup norm.
    """
    reg = Shannon(tau)
    return Inequality(ops.norm(ops.backup(m, V, reg) - ops.backup(m, W, reg)), m.gamma * ops.norm(V - W))


soft_contraction_almost = stronger(soft_contraction, ALMOST)

TILT = {"tau": temperatures(), "lam": temperatures(), "ref": policies()}


@claim(id="foundations.C3", family=families.general(), draws=PAIR | TILT, source=GEIST, kind="inequality")
def tilted_contraction(ops: Any, m: Any, V: Any, W: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    r"""\|T V - T W\|_\infty \le \gamma \|V - W\|_\infty with entropy and divergence, \Omega = -\tau H + \lambda KL(\cdot \| \mu).

    Proof: as for the entropy alone; the conjugate of any such :math:`\Omega` has its gradient in the simplex.
    """
    reg = ShannonKL(tau, lam, ref)
    return Inequality(ops.norm(ops.backup(m, V, reg) - ops.backup(m, W, reg)), m.gamma * ops.norm(V - W))


@twin(tilted_contraction, why="the second backup forgets the entropy: the difference has the size of tau log A")
def tilted_contraction_mixed(ops: Any, m: Any, V: Any, W: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    reg, other = ShannonKL(tau, lam, ref), ShannonKL(0, lam, ref)
    return Inequality(ops.norm(ops.backup(m, V, reg) - ops.backup(m, W, other)), m.gamma * ops.norm(V - W))


tilted_contraction_almost = stronger(tilted_contraction, ALMOST)


RAISED = {"V": values(), "D": values(nonnegative=True)}


@claim(
    id="foundations.C4", family=families.general(), draws=RAISED, source="Puterman 1994, chapter 6", kind="inequality"
)
def monotone(ops: Any, m: Any, V: Any, D: Any) -> Inequality:
    r"""V \le W implies TV \le TW, state by state.

    Proof: :math:`Q_V \le Q_W`, since P and gamma are not negative, and the maximum is monotone.
    """
    return Inequality(ops.backup(m, V), ops.backup(m, V + D), axes=("s",), quotient=False)


def _raised_but_first(ops: Any, m: Any, V: Any, D: Any) -> Any:
    """V + D in all states but the first, which loses as much."""
    return V + D - 2 * D * ops.identity(m.S)[0]


@twin(monotone, why="one state is exempt: it loses what all others gain")
def monotone_but_one(ops: Any, m: Any, V: Any, D: Any) -> Inequality:
    return Inequality(ops.backup(m, V), ops.backup(m, _raised_but_first(ops, m, V, D)), axes=("s",))


@twin(
    monotone,
    why="a margin: the least increment, discounted, which endings swallow",
    family=families.random_endings(3, 2),
)
def monotone_with_margin(ops: Any, m: Any, V: Any, D: Any) -> Inequality:
    return Inequality(ops.backup(m, V) + m.gamma * ops.smallest(D), ops.backup(m, V + D), axes=("s",))


@claim(id="foundations.C5", family=families.general(), draws=RAISED | TILT, source=GEIST, kind="inequality")
def tilted_monotone(ops: Any, m: Any, V: Any, D: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    r"""V \le W implies TV \le TW with entropy and divergence.

    Proof: the gradient of the conjugate is a probability vector, hence not negative.
    """
    reg = ShannonKL(tau, lam, ref)
    return Inequality(ops.backup(m, V, reg), ops.backup(m, V + D, reg), axes=("s",), quotient=False)


@twin(tilted_monotone, why="one state is exempt: it loses what all others gain")
def tilted_monotone_but_one(ops: Any, m: Any, V: Any, D: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    reg = ShannonKL(tau, lam, ref)
    return Inequality(ops.backup(m, V, reg), ops.backup(m, _raised_but_first(ops, m, V, D), reg), axes=("s",))


@twin(tilted_monotone, why="W is backed up at a slightly higher cost of the divergence")
def tilted_monotone_dearer(ops: Any, m: Any, V: Any, D: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    reg, dearer = ShannonKL(tau, lam, ref), ShannonKL(tau, 9 * lam / 8, ref)
    return Inequality(ops.backup(m, V, reg), ops.backup(m, V + D, dearer), axes=("s",))


SHIFT = {"V": values(), "c": scalars(), "tau": temperatures()}


@claim(
    id="foundations.C6",
    family=families.unending(),
    draws={"V": values(), "c": scalars()},
    assumptions=(no_endings,),
    source="Puterman 1994, chapter 6",
    kind="identity",
)
def shift(ops: Any, m: Any, V: Any, c: Any) -> Identity:
    r"""T(V + c 1) = TV + \gamma c 1 where no step ends the process.

    Proof: :math:`P 1 = 1`, and a constant leaves the maximum. With endings the right side has mass 1 - end inside the maximum.
    """
    return Identity(ops.backup(m, V + c), ops.backup(m, V) + m.gamma * c, axes=("s",))


@twin(shift, why="the discount is forgotten")
def shift_undiscounted(ops: Any, m: Any, V: Any, c: Any) -> Identity:
    return Identity(ops.backup(m, V + c), ops.backup(m, V) + c, axes=("s",))


@claim(
    id="foundations.C7",
    family=families.unending(),
    draws=SHIFT,
    assumptions=(no_endings,),
    source=GEIST,
    kind="identity",
)
def soft_shift(ops: Any, m: Any, V: Any, c: Any, tau: Any) -> Identity:
    r"""T_\tau(V + c 1) = T_\tau V + \gamma c 1 where no step ends the process.

    Proof: a constant leaves the log-sum-exp.
    """
    reg = Shannon(tau)
    return Identity(ops.backup(m, V + c, reg), ops.backup(m, V, reg) + m.gamma * c, axes=("s",))


@twin(soft_shift, why="the constant counts twice")
def soft_shift_twice(ops: Any, m: Any, V: Any, c: Any, tau: Any) -> Identity:
    reg = Shannon(tau)
    return Identity(ops.backup(m, V + c, reg), ops.backup(m, V, reg) + 2 * m.gamma * c, axes=("s",))


ENDING = (families.random_endings(3, 2), families.random_masks_endings(3, 2), families.random_endings(1, 1))


@claim(id="foundations.C8", family=ENDING, draws=PAIR, source="Porteus 1971", kind="inequality")
def contraction_with_endings(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    r"""\|TV - TW\|_\infty \le \gamma \max_{s,a} (1 - end(s,a)) \|V - W\|_\infty.

    Proof: as for C1, with the mass of the rows. Attained by a shift where the largest mass and the maximum meet.
    """
    mass = ops.largest(operators.successor_mass(ops, m), m.mask)
    distance = ops.norm(V - W)
    return Inequality(
        ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma * mass * distance, trivial=m.gamma * distance
    )


@twin(contraction_with_endings, why="the least mass in place of the largest")
def contraction_with_least_mass(ops: Any, m: Any, V: Any, W: Any) -> Inequality:
    mass = ops.smallest(operators.successor_mass(ops, m), m.mask)
    return Inequality(ops.norm(ops.backup(m, V) - ops.backup(m, W)), m.gamma * mass * ops.norm(V - W))


contraction_with_endings_almost = stronger(contraction_with_endings, ALMOST)


FREE = {"V": values(), "pi": policies(), "tau": temperatures(), "lam": temperatures(), "ref": policies(interior=True)}


@claim(
    id="foundations.C9",
    family=families.general(),
    draws=FREE,
    source=GEIST + " (Fenchel-Young)",
    kind="inequality",
)
def fenchel_young(ops: Any, m: Any, V: Any, pi: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    r"""T_\pi V \le T V for every policy and every reference of full support: \Omega^*(Q) \ge \langle\pi, Q\rangle - \Omega(\pi).

    Proof: the definition of the conjugate. Where a reference excludes what the policy does, the left side is minus infinity.
    """
    reg = ShannonKL(tau, lam, ref)
    return Inequality(ops.policy_backup(m, pi, V, reg), ops.backup(m, V, reg), axes=("s",), quotient=False)


@twin(fenchel_young, why="on the right side the divergence costs an eighth more")
def fenchel_young_dearer(ops: Any, m: Any, V: Any, pi: Any, tau: Any, lam: Any, ref: Any) -> Inequality:
    reg, dearer = ShannonKL(tau, lam, ref), ShannonKL(tau, 9 * lam / 8, ref)
    return Inequality(ops.policy_backup(m, pi, V, reg), ops.backup(m, V, dearer), axes=("s",))


@twin(
    fenchel_young,
    why="the right side forgets the entropy",
    draws={"V": values(), "pi": policies(), "tau": temperatures()},
)
def fenchel_young_hard(ops: Any, m: Any, V: Any, pi: Any, tau: Any) -> Inequality:
    return Inequality(ops.policy_backup(m, pi, V, Shannon(tau)), ops.backup(m, V), axes=("s",))


@claim(
    id="foundations.C10",
    family=families.general(),
    draws={"V": values()} | TILT,
    source=GEIST,
    kind="identity",
)
def maximiser(ops: Any, m: Any, V: Any, tau: Any, lam: Any, ref: Any) -> Identity:
    r"""T_\pi V = T V at the regularised greedy policy \pi = \nabla\Omega^*(Q_V).

    Proof: equality in Fenchel-Young at the gradient; here a Gibbs policy, tilted by the reference.
    """
    reg = ShannonKL(tau, lam, ref)
    pi = operators.policy_of(ops, m, V, reg)
    return Identity(ops.policy_backup(m, pi, V, reg), ops.backup(m, V, reg), axes=("s",))


@twin(maximiser, why="the policy of another temperature")
def maximiser_of_another_temperature(ops: Any, m: Any, V: Any, tau: Any, lam: Any, ref: Any) -> Identity:
    pi = operators.policy_of(ops, m, V, ShannonKL(2 * tau, lam, ref))
    reg = ShannonKL(tau, lam, ref)
    return Identity(ops.policy_backup(m, pi, V, reg), ops.backup(m, V, reg), axes=("s",))


@claim(
    id="foundations.C11",
    family=families.general(),
    draws={"V": values(), "tau": temperatures()},
    source=GEIST,
    kind="inequality",
)
def smoothing(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    r"""T_\tau V \le T V + \tau \log A(s), state by state.

    Proof: A(s) terms, each at most the exponential of the maximum. Attained where all actions of a state tie.
    """
    count = ops.array(m.mask.sum(axis=-1), 1)
    return Inequality(ops.backup(m, V, Shannon(tau)) - ops.backup(m, V), tau * ops.log(count), axes=("s",))


smoothing_almost = stronger(smoothing, ALMOST)


@claim(
    id="foundations.C12",
    family=families.general(),
    draws={"V": values(), "tau": temperatures()},
    source=GEIST,
    kind="inequality",
)
def smoothing_raises(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    r"""T V \le T_\tau V, state by state.

    Proof: the sum of exponentials contains that of the maximum. An equality where one action is available.
    """
    return Inequality(ops.backup(m, V), ops.backup(m, V, Shannon(tau)), axes=("s",), quotient=False)


@twin(smoothing_raises, why="the mean of the exponentials in place of their sum")
def smoothing_raises_mean(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    count = ops.array(m.mask.sum(axis=-1), 1)
    return Inequality(ops.backup(m, V), ops.backup(m, V, Shannon(tau)) - tau * ops.log(count), axes=("s",))


@twin(smoothing_raises, why="a margin: a hundredth of the largest rise, which a gap between the actions undercuts")
def smoothing_raises_with_margin(ops: Any, m: Any, V: Any, tau: Any) -> Inequality:
    count = ops.array(m.mask.sum(axis=-1), 1)
    return Inequality(ops.backup(m, V) + tau * ops.log(count) / 100, ops.backup(m, V, Shannon(tau)), axes=("s",))
