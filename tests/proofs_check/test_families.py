"""Fixed models and the families that claims name: what is in them, and that claims meet them."""

from __future__ import annotations

import numpy as np
import pytest

from proofs_check import families
from proofs_check.addresses import fixed_chunk
from proofs_check.claim import Claim
from proofs_check.loading import load_paper
from proofs_check.runner import TEETH, count
from proofs_check.settle import Settler
from tabular import solve

GRIDWORLDS = {"cliff4": 13, "fourrooms5": 19, "slippery4": 11}
CLAIMS = {c.id: c for c in load_paper("planning", "foundations")}


@pytest.mark.parametrize("name", families.FIXED)
def test_a_fixed_model_is_discounted_and_a_batch_of_one(name: str) -> None:
    model, batch = families.fixed(name)
    assert batch.B == 1 and (batch.S, batch.A) == (model.S, model.A)
    assert model.gamma == 0.9
    assert model.S == GRIDWORLDS.get(name, model.S)


def test_what_the_gridworlds_are_worth() -> None:
    starts = {}
    for name in GRIDWORLDS:
        model, _ = families.fixed(name)
        starts[name] = float(model.rho @ solve(model).V)
    assert starts["cliff4"] == pytest.approx(-(1 - 0.9**5) / 0.1)  # five steps around the cliff, of -1 each
    assert starts["fourrooms5"] == pytest.approx(0.9**7)  # the goal is the eighth step, through two doors
    assert -0.625 < starts["slippery4"] < 0.9**5  # bumping into a wall for ever costs 0.0625 a step
    model, _ = families.fixed("slippery4")
    assert ((model.end > 0) & (model.end < 1)).any()


@pytest.mark.parametrize("claim", [CLAIMS[f"foundations.{k}"] for k in ("C1", "C13", "C20")], ids=lambda c: c.id)
@pytest.mark.parametrize("name", GRIDWORLDS)
def test_claims_meet_the_gridworlds(claim: Claim, name: str) -> None:
    chunk = fixed_chunk(claim, name, 0, 0)
    tally = count(chunk, TEETH, 0)
    assert (tally.met, tally.refuted, tally.open) == (1, 0, 0)
    assert Settler(claim)(*chunk.instance(0)).status in ("holds", "tie")


def test_assumptions_keep_gridworlds_out() -> None:
    tally = count(fixed_chunk(CLAIMS["foundations.C6"], "cliff4", 0, 0), TEETH, 0)  # needs that no step ends
    assert tally.met == 0 and tally.unmet


@pytest.mark.parametrize("members", [families.general(), families.unending()], ids=["general", "unending"])
def test_extremal_families_are_among_the_usual_ones(members: tuple[families.AnyFamily, ...]) -> None:
    assert {"self_loops", "two_armed", "hidden_path"} <= {family.name for family in members}
    for family in members:
        batch = family(3, 4)
        assert batch.B == 4 and batch.content_hash == family(3, 4).content_hash
        assert np.isfinite(batch.R[np.asarray(batch.mask)]).all()


def test_unending_families_never_end() -> None:
    for family in families.unending():
        assert not (np.asarray(family(1, 50).end) > 0).any(), family.name
