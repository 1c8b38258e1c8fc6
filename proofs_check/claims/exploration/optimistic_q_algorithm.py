r"""Optimistic Q-learning, part 3: the table of a run is that of the algorithm, in both forms."""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Inequality, Mutant, claim, families, streams, twin
from proofs_check.claim import no_endings
from proofs_check.claims.exploration._replay import CLOSE, replay
from proofs_check.claims.exploration.optimistic_q_rates import PAPER

STEPS, EPISODES, P, SMALL, LARGE = 3, 6, 0.1, 2.0**-7, 0.25


def _run(source: Any, rng: Any, form: str) -> tuple[Any, ...]:
    """Visited pairs (K, H, S, A) and next states (K, H, S) as one-hot integers, counts at the visit (K, H), Q (H, S,
    A) at the end.
    """
    from tabular.exploration import UCB_B, UCB_H

    learner = {"UCB_H": UCB_H(P, SMALL), "UCB_B": UCB_B(P, SMALL, LARGE)}[form]
    run = replay(
        source, rng, learner, STEPS, EPISODES + 1, ("Q",)
    )  # the last episode is played to see what the others counted
    pairs, after = np.diff(run.visits, axis=-4), np.diff(run.seen, axis=-5).sum(axis=(-3, -2))
    counts = ((run.visits[..., :-1, :, :, :] + pairs) * pairs).sum(axis=(-2, -1))
    Q = run.own["Q"][..., EPISODES - 1, :, :]
    return pairs, after, counts, Q.reshape(*Q.shape[:-1], source.S, source.A)


def _bonus(ops: Any, m: Any, form: str, n: Any, variance: Any, before: Any, alpha: Any) -> tuple[Any, Any]:
    r"""The bonus, and :math:`\beta_t` (of UCB-B)."""
    H = ops.constant(STEPS)
    iota = ops.log(ops.constant(m.S * m.A * (EPISODES + 1) * STEPS) / ops.constant(P))
    hoeffding = ops.sqrt(H**3 * iota / n)
    first = ops.sqrt(H * (variance + H) * iota / n) + ops.sqrt(H**7 * (m.S * m.A)) * iota / n
    beta = ops.minimum(SMALL * first, LARGE * hoeffding)
    return {"UCB_H": SMALL * hoeffding, "UCB_B": (beta - (1 - alpha) * before) / (2 * alpha)}[form], beta


def _tables(ops: Any, m: Any, rng: Any, form: str, more: int = 1) -> tuple[Any, Any]:
    r"""Q (H, S, A) of a run, and by its updates with :math:`\alpha_t = (H + more)/(H + t)`."""
    pairs, after, counts, Q = (ops.array(x, n) for x, n in zip(_run(m.source, rng, form), (4, 3, 2, 3), strict=True))
    H, zero = ops.constant(STEPS), 0 * m.R
    start = ([zero + H for _ in range(STEPS)], [zero] * STEPS, [zero] * STEPS, [zero] * STEPS)

    def step(state: Any, at: tuple[int, int]) -> tuple[Any, None]:
        (table, total, square, betas), (k, h) = state, at
        one, n = pairs[k, h], counts[k, h]
        V = (*(ops.minimum(ops.max(q), H) for q in table), 0 * m.R[:, 0])[h + 1]
        v, alpha = ops.dot(after[k, h], V), (H + more) / (H + n)
        sums, squares = total[h] + one * v, square[h] + one * (v * v)
        here = lambda x: ops.sum(ops.sum(one * x))  # noqa: E731
        variance = ops.maximum(0, here(squares) / n - (here(sums) / n) ** 2)
        bonus, beta = _bonus(ops, m, form, n, variance, here(betas[h]), alpha)
        moved = table[h] + one * alpha * (m.R + v + bonus - table[h])
        put = lambda xs, x: [*xs[:h], x, *xs[h + 1 :]]  # noqa: E731
        return (
            put(table, moved),
            put(total, sums),
            put(square, squares),
            put(betas, betas[h] + one * (beta - here(betas[h]))),
        ), None

    found = ops.scan(step, start, [(k, h) for k in range(EPISODES) for h in range(STEPS)])[0]
    return Q, ops.stack(found[0])


FORMS = ("UCB_H", "UCB_B")


@claim(
    id="optimistic_q.C4r",
    family=(families.river_swims(3), families.planted_arms(1, 2), families.locks(2)),
    draws={"rng": streams},
    assumptions=(no_endings,),
    source=PAPER + ", Algorithms 1 and 2",
    kind="inequality",
    instances=(),
)
def tables_are_the_algorithms(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""The Q of a run of UCB-H and UCB-B after six episodes of three steps is that of the printed updates along its path, within
    2^{-20}. Here c = c_1 = 1/128, c_2 = 1/4.

    Proof: it is what the algorithm says; floats err by less.
    """
    pairs = [_tables(ops, m, rng, form) for form in FORMS]
    return Inequality(
        ops.stack([ops.abs(x - y) for x, y in pairs]), ops.constant(CLOSE), axes=("form", "h", "s", "a"), quotient=False
    )


@twin(tables_are_the_algorithms, why="rates of (H + 2)/(H + t)", family=families.river_swims(3))
def tables_of_other_rates(ops: Any, m: Any, rng: Any) -> Inequality:
    pairs = [_tables(ops, m, rng, form, 2) for form in FORMS]
    return Inequality(
        ops.stack([ops.abs(x - y) for x, y in pairs]), ops.constant(CLOSE), axes=("form", "h", "s", "a"), quotient=False
    )


def _planted(name: str, function: str, old: str, new: str, reason: str = "") -> Mutant:
    return Mutant(name, "tabular.exploration.q_learning", function, old, new, reason, ("optimistic_q.C4r",))


MUTANTS = (
    _planted("UCB-H without bonus", "_observe_hoeffding", "learner.c", "0.0"),
    _planted("UCB-H's bonus of H", "_observe_hoeffding", "H * H * H * own.iota", "H * H * own.iota"),
    _planted("plain averaging", "_observe_hoeffding", "(H + 1.0) / (H + n)", "1.0 / n"),
    _planted("UCB-H learns from this step", "_observe_hoeffding", "own.V[h + 1, t]", "own.V[h, t]"),
    _planted("UCB-H learns from the state it leaves", "_observe_hoeffding", "own.V[h + 1, t]", "own.V[h + 1, s]"),
    _planted("counts one ahead", "_observe_hoeffding", "float(counts.visits[h * world.stride + i])",
             "1.0 + counts.visits[h * world.stride + i]"),
    _planted("values not clipped", "_move", "min(float(world.H), top)", "top"),
    _planted("the old value kept whole", "_move", "1.0 - alpha", "1.0"),
    _planted("UCB-B without lower-order term", "_observe_bernstein", "sqrt(H**7 * world.S * world.A) * own.iota / n", "0.0"),
    _planted("UCB-B without variance", "_observe_bernstein", "variance + H", "H"),
    _planted("UCB-B's variance not centred", "_observe_bernstein", "own.square[h, i] / n - mean * mean", "own.square[h, i] / n"),
    _planted("UCB-B not cut by UCB-H's bonus", "_observe_bernstein",
             "min(beta, learner.c2 * sqrt(H * H * H * own.iota / n))", "beta"),
    _planted("UCB-B forgets the last beta", "_observe_bernstein", "(1.0 - alpha) * own.beta[h, i]", "0.0"),
    _planted("UCB-B's bonus doubled", "_observe_bernstein", "2.0 * alpha", "alpha"),
    _planted("UCB-B learns from this step", "_observe_bernstein", "own.V[h + 1, t]", "own.V[h, t]"),
    _planted("a logarithm of one episode", "_table", "world.K", "1"),
)  # fmt: skip
