"""Models on which SAC's claims are sharpest, as families of one member, and a policy as a draw."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check import families
from proofs_check.draws import Draw, Payload
from tabular.batch import MDPBatch
from tabular.mdp import MDP


def relative_temperature(ops: Any, x: Any, heat: Any) -> Any:
    """``heat`` in units of the values ``x``, so that no probability is below every resolution."""
    return heat * (ops.norm(x) + 1)


@dataclass(frozen=True)
class Only:
    """The family of one model."""

    name: str
    model: MDP

    @property
    def key(self) -> str:
        """Name and content."""
        return f"{self.name}/{self.model.content_hash}"

    def __call__(self, seed: int, n: int) -> MDPBatch:
        """n copies."""
        return MDPBatch.stack([self.model] * n)


def given_policy(weights: list[list[int]]) -> Draw:
    """This policy, as integer weights (S, A)."""
    rows = np.array(weights)
    return Draw("given_policy", lambda z, at: Payload("distribution", np.broadcast_to(rows, (at.B, *rows.shape)), 2))


SMALL = (
    families.garnet(3, 2),
    families.random_endings(3, 2),
    families.random_masks_endings(3, 3),
    families.deterministic(3, 2),
    families.wrong_turns(),
    families.hidden_path(4, 2),
)


def one_logit() -> Any:
    """Two states, discount 1/2: from state 0, worth nothing, action 1 leads to state 1, which is kept and pays 2 or -2."""
    P = [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]
    return Only("one_logit", MDP.from_weights(P, [[0.0, 0.0], [2.0, -2.0]], Fraction(1, 2)))


def almost_for_ever() -> Any:
    """One state, discount ``1 - 2**-16``: action 0 ends, action 1 stays at a cost of ``1/256``; at temperature 1 one stays."""
    model = MDP.from_weights([[[0], [1]]], [[0.0, -1 / 256]], 1 - 2.0**-16, end_weights=[[1, 0]])
    return Only("almost_for_ever", model)


def two_arms() -> Any:
    """One state, which is kept, and two arms that pay 2 and 0; discount 1/2."""
    return Only("two_arms", MDP.from_weights([[[1], [1]]], [[2.0, 0.0]], Fraction(1, 2)))


def way_on() -> Any:
    """Three states, discount 1/2: action 0 leads on and pays 1 in the last, which it keeps; action 1 leads back to
    the first and pays 1/64.

    Who goes back everywhere turns round in the last state at first: at low temperatures the middle one follows an iteration later.
    """
    P = [[[0, 1, 0], [1, 0, 0]], [[0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 0, 0]]]
    R = [[0.0, 1 / 64], [0.0, 1 / 64], [1.0, 1 / 64]]
    return Only("way_on", MDP.from_weights(P, R, Fraction(1, 2)))


def two_gaps() -> Any:
    """Two states, each kept, whose arms differ by 10 and by a tenth (the float)."""
    P = [[[1, 0], [1, 0]], [[0, 1], [0, 1]]]
    return Only("two_gaps", MDP.from_weights(P, [[10.0, 0.0], [0.1, 0.0]], Fraction(1, 2)))


def two_places() -> Any:
    """Two states, and an action that leads to each; only going from state 0 to itself pays, 2."""
    P = [[[1, 0], [0, 1]], [[1, 0], [0, 1]]]
    return Only("two_places", MDP.from_weights(P, [[2.0, 0.0], [0.0, 0.0]], 1))
