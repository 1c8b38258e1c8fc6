r"""UCBVI-Ent, part 5: statements about chance. Entropies of frequencies within their widths, and optimism, at the
authors' bonuses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from proofs_check import Inequality, Trial, claim, families, sampling, twin
from proofs_check.claim import all_available, no_endings
from proofs_check.claims.exploration._replay import plays, shaped
from proofs_check.claims.exploration.fast_entropy_models import PAPER
from proofs_check.sampling import streams
from tabular.reference import visitation

DELTA, STEPS, EPISODES = 0.1, 2, 6
DRAWN = (2, 8, 32)
MODELS: dict[str, Any] = {
    "family": families.garnet(3, 2),
    "draws": {"rng": streams()},
    "assumptions": (no_endings, all_available),
    "kind": "probability",
    "instances": (),
}


def _widths(ops: Any, S: int, A: int, n: int) -> Any:
    r""":math:`\sqrt{\beta_1/n} + \beta_2/n`."""
    N, L = ops.constant(n), ops.log(ops.constant(4 * S * A * STEPS) / DELTA)
    first = L + ops.log(N) * ops.log(N) * ops.log(2 * N * (N + 1))
    others = ops.constant(S - 1)
    second = others * (1 + ops.log(1 + N / others)) + 1
    return ops.sqrt(first / N) + second / N


def _errors(ops: Any, m: Any, rng: Any, scale: Any) -> Inequality:
    truth, left, right = visitation.transition_entropy(ops, m), [], []
    for n in DRAWN:
        counts = sampling.transition_counts(m.source, rng, n, f"n={n}")
        found = visitation.row_entropy(ops, ops.distribution(counts, 3))
        left.append(ops.largest(ops.abs(found - truth)))
        right.append(scale * _widths(ops, m.S, m.A, n))
    return Inequality(ops.stack(left), ops.stack(right), axes=("n",))


@claim(id="fast_entropy.C10c", source=PAPER + ", authors' code (UCBVI-Ent)", **MODELS)
def entropy_widths(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability at least 9/10 all empirical transition entropies, of 2, 8 and 32 draws a pair, are within
    \sqrt{\beta_1/n} + \beta_2/n of the true ones.

    Proof: by computation here; :math:`\beta_1` and :math:`\beta_2` are those of the authors' code.
    """
    return Trial(_errors(ops, m, rng, 1), DELTA)


@twin(entropy_widths, why="a twentieth of the width")
def entropy_widths_of_a_twentieth(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(_errors(ops, m, rng, ops.constant(1) / 20), DELTA)


COUNTED = 64


def entropy_strays(source: Any, rng: Any, scale: float) -> np.ndarray:
    """Whether the entropy of the frequencies of one row leaves the width, times ``scale``, at some n <= COUNTED."""
    P = source.P if isinstance(source.P, np.ndarray) else source.to_dense().P
    p = P[..., 0, 0, :]
    S, u, n = p.shape[-1], rng.uniform("row", COUNTED), np.arange(1.0, COUNTED + 1)
    drawn = sampling.categorical(u, np.broadcast_to(p[..., None, :], (*u.shape, S)))
    q = np.cumsum(drawn[..., None] == np.arange(S), axis=-2) / n[:, None]
    truth, found = (-(x * np.log(np.where(x > 0, x, 1.0))).sum(axis=-1) for x in (p, q))
    L = np.log(4 * S * source.A * STEPS / DELTA)
    first = L + np.log(n) ** 2 * np.log(2 * n * (n + 1))
    width = np.sqrt(first / n) + ((S - 1) * np.log(np.e * (1 + n / (S - 1))) + 1) / n
    return np.asarray((np.abs(found - truth[..., None]) > scale * width + 1e-12).any(axis=-1))


@claim(id="fast_entropy.C10d", source=PAPER + ", authors' code (UCBVI-Ent)", **MODELS)
def entropy_widths_for_all_counts(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With probability at least 9/10 the entropies of the frequencies of one row are within the width of C10c for all n up to 64
    at once.

    Proof: by computation here. What comes after a pair is the same sequence however a run meets it.
    """
    return Trial(entropy_strays(m.source, rng, 1.0), DELTA)


@twin(entropy_widths_for_all_counts, why="a tenth of the width")
def entropy_widths_for_all_counts_of_a_tenth(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(entropy_strays(m.source, rng, 0.1), DELTA)


def _optimism(m: Any, rng: Any, scale: float) -> np.ndarray:
    """Whether some upper bound was below the optimum, by more than rounding, in a run of each model."""
    from tabular.exploration.fast_entropy_agents import UCBVI_Ent

    lost = []
    for play in plays(m.source, rng, UCBVI_Ent(DELTA, scale), STEPS, EPISODES):
        play.advance()
        lost.append(play.history["optimism"] < -1e-12)
    return shaped(rng, np.concatenate(lost))


@claim(id="fast_entropy.C10", source=PAPER + ", authors' code (UCBVI-Ent)", **MODELS)
def optimism(ops: Any, m: Any, rng: Any) -> Trial:
    r"""With the bonuses of the authors' code the bounds of UCBVI-Ent are at least V^* in all states, steps and
    episodes with probability at least 9/10: six episodes of two steps.

    Proof: by computation here.
    """
    return Trial(_optimism(m, rng, 1.0), DELTA)


@twin(optimism, why="without bonuses")
def optimism_without_bonus(ops: Any, m: Any, rng: Any) -> Trial:
    return Trial(_optimism(m, rng, 0.0), DELTA)
