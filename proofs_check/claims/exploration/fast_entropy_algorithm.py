r"""EntGame and UCBVI-Ent, part 6: the plans of runs are those of the authors' code."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check import Inequality, Mutant, claim, families, streams, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration._replay import CLOSE, replay
from proofs_check.claims.exploration.fast_entropy_models import PAPER
from tabular.reference import visitation

STEPS, EPISODES, DELTA, SCALE, SOFT_SCALE = 3, 3, 0.1, 2.0**-5, 0.25


def _counted(ops: Any, m: Any, run: Any, k: int) -> tuple[Any, Any]:
    """Counts (S, A) before episode k, and frequencies, uniform where nothing was seen."""
    n = ops.array(run.visits[..., k, 0, :, :], 2)
    p = ops.array(run.seen[..., k, 0, :, :, :], 3) / ops.maximum(n, 1)[:, :, None]
    unseen = run.unseen[..., k, 0, :, :]
    return n, ops.where(unseen[..., None], Fraction(1, m.S), p)


def _first(ops: Any, m: Any) -> Any:
    return ops.log(ops.constant(4 * m.S * m.A * STEPS) / ops.constant(DELTA))


def _outcomes(ops: Any, m: Any, n: Any) -> Any:
    return (m.S - 1) * (1 + ops.log(1 + n / (m.S - 1)))


def _game(ops: Any, m: Any, run: Any, k: int) -> Any:
    """Q (H, S, A) of EntGame."""
    n, p = _counted(ops, m, run, k)
    scale = ops.log(ops.constant(k * STEPS + m.S * m.A))
    width = ops.constant(SCALE) * ops.sqrt((_first(ops, m) + _outcomes(ops, m, n)) / ops.maximum(n, 1))

    def step(V: Any, h: int) -> tuple[Any, Any]:
        most = scale * (STEPS - h)
        q = scale - ops.log(n + 1) + most * width + ops.dot(p, V[None, None, :])
        return ops.minimum(ops.max(q), most), q

    return ops.stack(list(ops.scan(step, 0 * m.R[:, 0], list(range(STEPS))[::-1])[1][::-1]))


def _soft(ops: Any, m: Any, run: Any, k: int, paid: int = 0) -> Any:
    """Q (H, S, A) of UCBVI-Ent; ``paid``: what the last transition's entropy counts."""
    n, p = _counted(ops, m, run, k)
    many, L, each = ops.maximum(n, 1), _first(ops, m), ops.log(ops.constant(m.S * m.A))
    entropy = visitation.row_entropy(ops, p)
    root = ops.sqrt((L + ops.log(many) * ops.log(many) * ops.log(2 * many * (n + 1))) / many)
    rest = entropy + ops.constant(SOFT_SCALE) * (root + (_outcomes(ops, m, n) + 1) / many)
    transitions = ops.constant(SOFT_SCALE) * ops.sqrt((L + 1 + ops.log(4 * many * (2 * n + 1))) / many)

    def step(V: Any, h: int) -> tuple[Any, Any]:
        most = each * (STEPS - h)
        counts = [1] * (STEPS - 1) + [paid]
        q = counts[h] * rest + most * transitions + ops.dot(p, V[None, None, :])
        return ops.minimum(ops.free_energy(q, 1), most), q

    return ops.stack(list(ops.scan(step, 0 * m.R[:, 0], list(range(STEPS))[::-1])[1][::-1]))


def _plans(ops: Any, m: Any, rng: Any, paid: int = 0) -> Inequality:
    from tabular.exploration.fast_entropy_agents import EntGame, UCBVI_Ent

    game = replay(m.source, rng, EntGame(DELTA, SCALE), STEPS, EPISODES, ("Q",))
    soft = replay(m.source, rng, UCBVI_Ent(DELTA, SOFT_SCALE, last=False), STEPS, EPISODES, ("Q", "pi"))
    shape = (*game.visits.shape[:-4], EPISODES, STEPS, m.S, m.A)
    given = [ops.array(x.reshape(shape), 4) for x in (game.own["Q"], soft.own["Q"], soft.own["pi"])]
    Q = ops.stack([_soft(ops, m, soft, k, paid) for k in range(EPISODES)])
    found = [ops.stack([_game(ops, m, game, k) for k in range(EPISODES)]), Q, ops.gibbs(Q, 1)]
    off = [ops.abs(x - y) for x, y in zip(given, found, strict=True)]
    return Inequality(ops.stack(off), ops.constant(CLOSE), axes=("what", "k", "h", "s", "a"), quotient=False)


@claim(
    id="fast_entropy.C10r",
    family=families.garnet(3, 2),
    draws={"rng": streams()},
    assumptions=(no_endings, all_available),
    source=PAPER + ", authors' code",
    kind="inequality",
    instances=(),
)
def plans_are_the_authors(ops: Any, m: Any, rng: Any) -> Inequality:
    r"""The Q of runs of EntGame and UCBVI-Ent, and the policies of the latter, are those of the authors' code from
    the counts before each episode, within 2^{-20}: three episodes of three steps, bonuses scaled by 1/32 and 1/4, the last
    transition not counted.

    Proof: it is what the code says; floats err by less.
    """
    return _plans(ops, m, rng)


@twin(plans_are_the_authors, why="with the entropy of the last transition")
def plans_with_the_last_transition(ops: Any, m: Any, rng: Any) -> Inequality:
    return _plans(ops, m, rng, 1)


def _planted(name: str, function: str, old: str, new: str) -> Mutant:
    return Mutant(name, "tabular.exploration.fast_entropy_agents", function, old, new, met_by=("fast_entropy.C10r",))


MUTANTS = (
    _planted("EntGame without bonus", "_plan_game", "most * own.width[row]", "0.0"),
    _planted("EntGame pays alike for all pairs", "_plan_game", "scale - log(n + 1.0)", "scale"),
    _planted("EntGame's total of an episode before", "_plan_game", "k * H + float(S * A)", "(k - 1) * H + float(S * A)"),
    _planted("EntGame plans with the values of this step", "_plan_game", "own.V[h + 1]", "own.V[h]"),
    _planted("EntGame not clipped", "_plan_game", "min(top, most) if learner.clip else top", "top"),
    _planted("unseen pairs lead nowhere", "empirical", "V.sum() / world.S", "0.0"),
    _planted("one outcome more", "outcomes", "S - 1.0", "S"),
    _planted("the largest in place of the soft maximum", "_plan_soft", "top + log(total)", "top"),
    _planted("UCBVI-Ent not clipped", "_plan_soft", "min(top + log(total), most)", "top + log(total)"),
    _planted("UCBVI-Ent without bonus for transitions", "_plan_soft", "most * own.bonus[0, row]", "0.0"),
    _planted("UCBVI-Ent counts the last transition", "_plan_soft", "learner.last or h < H - 1", "True"),
    _planted("UCBVI-Ent plans with the values of this step", "_plan_soft", "own.V[h + 1]", "own.V[h]"),
    _planted("UCBVI-Ent plays uniformly", "_plan_soft", "exp(own.Q[h, s * A + a] - top)", "1.0"),
    _planted("transitions not uncertain", "surprise", "-p * log(p)", "0.0"),
)  # fmt: skip
