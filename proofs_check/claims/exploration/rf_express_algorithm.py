r"""RF-Express, part 3: the bounds of a run are those of the algorithm, and so are those of RF-UCRL."""

from __future__ import annotations

from typing import Any

from proofs_check import Inequality, Mutant, claim, families, streams, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration._replay import CLOSE, replay

STEPS, EPISODES, DELTA, SCALE = 3, 6, 0.1, 2.0**-8
FORMS = ("RF_Express", "RF_UCRL")


def _run(source: Any, rng: Any, form: str) -> Any:
    from tabular import exploration

    return replay(source, rng, getattr(exploration, form)(0.0, DELTA, SCALE), STEPS, EPISODES, ("Q",))


def _tables(ops: Any, m: Any, rng: Any, form: str, lag: int = 0) -> tuple[Any, Any]:
    """W (K, H, S, A) of a run, and by the recursion from its counts before the episode; ``lag``: of so many episodes earlier."""
    run = _run(m.source, rng, form)
    visits, seen = ops.array(run.visits, 4), ops.array(run.seen, 5)
    H, S, A = ops.constant(STEPS), m.S, m.A
    first = ops.log(ops.constant({"RF_Express": 3, "RF_UCRL": 2}[form] * S * A * STEPS) / ops.constant(DELTA))
    factor = {"RF_Express": 1 + 1 / H, "RF_UCRL": 1 + 0 * H}[form]

    def bonus(n: Any) -> Any:
        express = 15 * H**2 * (first + S * (1 + ops.log(8 * (n + 1)))) / n
        ucrl = H * ops.sqrt(2 * (first + (S - 1) * (1 + ops.log(1 + n / (S - 1)))) / n)
        return ops.constant(SCALE) * {"RF_Express": express, "RF_UCRL": ucrl}[form]

    def episode(k: int) -> Any:
        def step(w: Any, h: int) -> tuple[Any, Any]:
            n = ops.maximum(visits[k, h], 1)
            p = seen[k, h] / n[:, :, None]
            found = ops.minimum(H, bonus(n) + factor * ops.dot(p, w[None, None, :]))
            found = ops.where(run.visits[..., k, h, :, :] == 0, H, found)
            return ops.max(found), found

        return ops.stack(list(ops.scan(step, 0 * m.R[:, 0], list(range(STEPS))[::-1])[1][::-1]))

    found = ops.stack([episode(max(k - lag, 0)) for k in range(EPISODES)])
    return ops.array(run.own["Q"].reshape(*run.visits.shape[:-4], EPISODES, STEPS, S, A), 4), found


@claim(
    id="rf_express.C1r",
    family=(families.garnet(2, 2), families.garnet(3, 2)),
    draws={"rng": streams()},
    assumptions=(all_available, no_endings),
    source="Ménard et al. 2021 and Kaufmann et al. 2021, the algorithms",
    kind="inequality",
    instances=(),
)
def bounds_are_the_algorithms(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""The W of a run of RF-Express and of RF-UCRL is that of their recursions from the counts before each episode,
    within 2^{-20}: six episodes of three steps, bonuses scaled by 1/256.

    Proof: it is what the algorithms say; floats err by less.
    """
    return _close(ops, [_tables(ops, m, rng, form) for form in FORMS])


def _close(ops: Any, pairs: list[tuple[Any, Any]]) -> Inequality:
    off = ops.stack([ops.abs(x - y) for x, y in pairs])
    return Inequality(off, ops.constant(CLOSE), axes=("form", "k", "h", "s", "a"), quotient=False)


@twin(bounds_are_the_algorithms, why="with the counts of an episode before", family=families.garnet(2, 2))
def bounds_of_stale_counts(ops: Any, m: Any, rng: Any) -> Inequality:
    return _close(ops, [_tables(ops, m, rng, form, 1) for form in FORMS])


def _planted(name: str, function: str, old: str, new: str, reason: str = "") -> Mutant:
    return Mutant(name, "tabular.exploration.reward_free", function, old, new, reason, ("rf_express.C1r",))


MUTANTS = (
    _planted("RF-Express without bonus", "_observe_express", "learner.bonus_scale", "0.0"),
    _planted("RF-Express with a root", "_observe_express",
             "learner.bonus_scale * 15.0 * H * H * beta / n", "learner.bonus_scale * 15.0 * H * H * sqrt(beta / n)"),
    _planted("RF-Express counts one ahead", "_observe_express", "float(counts.visits[row])", "1.0 + counts.visits[row]"),
    _planted("RF-Express without growth", "_plan_express", "1.0 + 1.0 / world.H", "1.0"),
    _planted("RF-UCRL without root", "_observe_ucrl", "sqrt(2.0 * beta / n)", "2.0 * beta / n"),
    _planted("RF-UCRL as in its code", "_observe_ucrl", "2.0 * beta / n", "beta / n"),
    _planted("RF-UCRL's beta without outcomes", "_observe_ucrl", "others * log(e * (1.0 + n / others))", "0.0"),
    _planted("bounds not clipped", "_plan_with", "min(H, w + factor * estimated(world, counts, row, V))",
             "w + factor * estimated(world, counts, row, V)"),
    _planted("bounds of this step", "_plan_with", "own.V[h + 1]", "own.V[h]"),
    _planted("transitions of the first step", "_plan_with", "estimated(world, counts, row, V)", "estimated(world, counts, i, V)"),
)  # fmt: skip
