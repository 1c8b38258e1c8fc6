"""Families on which the entropies of three steps are tried, and models on which false variants fail."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check import distributions, families, policies, q_values
from proofs_check.claims.planning.sac_models import Only
from proofs_check.draws import Draw, Integers, Payload, Place
from tabular.mdp import MDP

H = 3
SMALL = (
    families.garnet(2, 2),
    families.garnet(3, 2),
    families.random_masks(3, 3),
    families.deterministic(3, 2),
    families.bandits(2),
)
PLAN: dict[str, Any] = {f"pi{h}": policies() for h in range(H)}
RHO: dict[str, Any] = {"rho": distributions()}
PAPER = "Tiapkin et al. 2023"


def errors() -> Draw:
    """(S, A) errors of action values, zero where unavailable: half of them -h, 0 or h at each pair, h of 1 ... 2^-11."""
    base = q_values()

    def sample(z: Integers, at: Place) -> Payload:
        shape = (at.B, at.S, at.A)
        drawn, size = base.sample(z, at).data, np.ldexp(1.0, -z.below(12, at.B))[:, None, None]
        even = size * z.between(-1, 1, *shape)
        return Payload("array", np.where(at.mask, np.where(z.below(2, at.B)[:, None, None] == 0, even, drawn), 0.0), 2)

    return Draw("errors", sample)


def split() -> Any:
    """Three states, one action: from state 0 a fair coin leads to one of the other two, which are kept."""
    P = [[[0, 1, 1]], [[0, 1, 0]], [[0, 0, 1]]]
    return Only("split", MDP.from_weights(P, [[0.0], [0.0], [0.0]], Fraction(1, 2)))


def falling() -> Any:
    """Two states, two actions: action 0 of state 0 stays, all else leads to state 1 or stays there."""
    P = [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]
    return Only("falling", MDP.from_weights(P, [[0.0, 0.0], [0.0, 0.0]], Fraction(1, 2)))


def even() -> Any:
    """One state, two actions that pay nothing."""
    return Only("even", MDP.from_weights([[[1], [1]]], [[0.0, 0.0]], Fraction(1, 2)))


def far_ahead() -> Any:
    """Two states, two actions: action 0 pays nothing and stays in state 0, where it leads from state 1, too; action 1 leads to
    state 1. Action 1 costs 28 in state 0; in state 1 the actions pay 20 and -20."""
    P = [[[1, 0], [0, 1]], [[1, 0], [0, 1]]]
    return Only("far_ahead", MDP.from_weights(P, [[0.0, -28.0], [20.0, -20.0]], Fraction(1, 2)))
