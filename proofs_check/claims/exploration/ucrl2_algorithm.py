r"""UCRL2, part 3: the loop's extended value iteration, step by step, beside the dual of the linear program inside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Inequality, Mutant, claim, families, sampling, streams, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration._replay import CLOSE
from proofs_check.claims.exploration.ucrl2_sets import JAKSCH, plausible_mean

DRAWN, LOG = 24, 0.25


def backups(source: Any, rng: Any) -> tuple[np.ndarray, ...]:
    """Of each trial: transitions counted (S, A, S), DRAWN of each pair but those of state 0 and action 0, values u
    (S,), and what the kernels make of them: optimistic rewards (S, A), a backup (S,), and the actions in which it is
    attained, as one-hot integers.
    """
    from tabular._kernels import epochs, interaction
    from tabular.exploration._world import build_world
    from tabular.exploration.play import episodic
    from tabular.exploration.widths import Jaksch

    models = [source[i] for i in range(source.B)] if hasattr(source, "B") else [source]
    lead, S, A = rng.batch, source.S, source.A
    seen = np.array(sampling.transition_counts(source, rng, DRAWN, "counts"))[..., :S]
    seen[..., 0, 0, :] = 0
    u = rng.uniform("u", S)
    found: tuple[list[Any], ...] = ([], [], [])
    for mdp, n, values in zip(models, seen.reshape(-1, S * A, S), u.reshape(-1, S), strict=True):
        world = build_world(episodic(mdp, 1, rho=np.eye(S)[0]), 1, "mean", False)
        owner = np.repeat(np.arange(S * A), np.diff(world.indptr))
        visits = n.sum(axis=1)
        share = np.where(visits > 0, 1.0 / np.maximum(visits, 1), 0.0)
        slots = n[owner, world.indices.astype(np.int64)].astype(np.float64)
        counts = interaction.Counts(visits.astype(np.int64), share, slots, visits * np.abs(world.R))
        R, out, act = np.zeros(S * A), np.zeros(S), np.zeros(S, dtype=np.int64)
        epochs.optimistic_rewards(world, counts, False, LOG, R)
        epochs.extended_backup(Jaksch(), world, counts, R, LOG, values, out, act)
        for part, x in zip(found, (R.reshape(S, A), out, np.eye(A, dtype=np.int64)[act]), strict=True):
            part.append(x)
    return seen, u, *(np.reshape(np.stack(part), (*lead, *np.shape(part[0]))) for part in found)


def _unseen(seen: np.ndarray) -> np.ndarray:
    return np.asarray(seen.sum(axis=-1) == 0)


def _backup(ops: Any, m: Any, rng: Any, share: Any) -> Inequality:
    """``share``: of the radius."""
    given = backups(m.source, rng)
    seen, u, R, out, played = (ops.array(x, n) for x, n in zip(given, (3, 1, 2, 1, 2), strict=True))
    unseen = _unseen(given[0])
    n = ops.maximum(ops.sum(seen), 1)
    log = ops.constant(LOG)
    heard = ops.where(unseen, 0, ops.abs(m.R))
    rewards = ops.minimum(1, heard + ops.sqrt(7 * log / (2 * n)))
    means = plausible_mean(ops, seen / n[:, :, None], share * ops.sqrt(14 * m.S * log / n), u)
    Q = rewards + ops.where(unseen, ops.max(u), means)
    off = [ops.abs(out - ops.max(Q)), ops.max(Q) - ops.sum(played * Q), ops.max(ops.abs(R - rewards))]
    return Inequality(ops.stack(off), ops.constant(CLOSE), axes=("what", "s"), quotient=False)


@claim(
    id="ucrl2.C6r",
    family=(families.garnet(2, 2), families.garnet(3, 2)),
    draws={"rng": streams()},
    assumptions=(all_available, no_endings),
    source=JAKSCH,
    kind="inequality",
    instances=(),
)
def backups_are_the_algorithms(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""The loop's optimistic rewards \min\{1, \hat r + \sqrt{7L/2n}\} and a backup of its extended value iteration,
    \max_a \tilde r + \max \{q u : \|q - \hat p\|_1 \le \sqrt{14 S L / n}\}, attained by its actions, within 2^{-20}.
    Here n = 24 or none, L = 1/4.

    Proof: it is what the algorithm says, with the dual of C6 for the inner maximum; floats err by less.
    """
    return _backup(ops, m, rng, 1)


@twin(backups_are_the_algorithms, why="half the radius")
def backups_of_half_the_radius(ops: Any, m: Any, rng: Any) -> Inequality:
    return _backup(ops, m, rng, ops.constant(1) / 2)


def _planted(name: str, module: str, function: str, old: str, new: str) -> Mutant:
    return Mutant(name, f"tabular._kernels.{module}", function, old, new, met_by=("ucrl2.C6r",))


MUTANTS = (
    _planted("rewards without width", "epochs", "optimistic_rewards", "sqrt(3.5 * L / n)", "0.0"),
    _planted("rewards not capped", "epochs", "optimistic_rewards", "min(1.0, counts.reward[row] / n + sqrt(3.5 * L / n))",
             "counts.reward[row] / n + sqrt(3.5 * L / n)"),
    _planted("the sum of rewards for their mean", "epochs", "optimistic_rewards", "counts.reward[row] / n", "counts.reward[row]"),
    _planted("unseen pairs lead to the worst state", "epochs", "extended_backup", "R[row] + top", "R[row] + bottom"),
    _planted("the first action's row", "epochs", "extended_backup", "s * world.A + a", "s * world.A"),
    _planted("all of the width moved", "widths", "l1_ball", "0.5 * radius", "radius"),
    _planted("width without S", "widths", "jaksch", "14.0 * world.S * L * counts.share[row]", "14.0 * L * counts.share[row]"),
    _planted("taken from the best successors", "widths", "l1_ball", "top - worst", "0.0"),
)  # fmt: skip
