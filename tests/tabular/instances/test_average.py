"""Families for the average reward: the same bits for ever, and the properties that their docstrings state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tabular import MDPBatch, ModelError, average_reward, evaluate_average, minorization_time, policy_iteration
from tabular.instances import impatience, resets, switching

FAMILIES = {"resets": resets(3, 2), "switching": switching(), "impatience": impatience()}
# Digests of 100 members of seed 2024. A change here is a change of what is drawn: a new version of the family.
DIGESTS = {"resets": "fb45ffccd8430288", "switching": "2e10d16ec3ad7b3e", "impatience": "0730ea234b0e9406"}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bits_are_the_same_for_ever(name: str, digest: Callable[[MDPBatch], str]) -> None:
    assert digest(FAMILIES[name](2024, 100)) == DIGESTS[name]


@pytest.mark.parametrize("name", FAMILIES)
def test_members_are_valid_exact_models(name: str) -> None:
    family = FAMILIES[name]
    b = family(7, 200)
    assert MDPBatch.from_weights(b.weights, b.R, b.gamma) == b and not b.has_end
    assert family(7, 50)[49] == b[49] and family.member(7, 11) == b[11]


def test_policies_of_one_action_reset_at_the_rate_stated() -> None:
    b = resets(3, 2)(0, 60)
    never = 0
    for i in range(60):
        mdp, slow = b[i], float(b.totals[i, 0, 0] // 1024)
        for a in range(2):
            assert minorization_time(mdp.P[:, a]) == pytest.approx(slow)
        never += (mdp.P[1:, :, 0] == 0).all()
        assert mdp.rewards[0].tolist() == [1, 1] and not mdp.rewards[1:].any()
    assert 15 <= never <= 45


def test_the_hard_chain_has_the_authors_gain_and_time() -> None:
    b = switching()(0, 40)
    for mdp in (b[i] for i in range(40)):
        p, q = mdp.P[0, 0, 1], mdp.P[0, 1, 1]
        assert 2.0**-10 <= p <= 0.5 and 0 < q <= p
        assert evaluate_average(mdp, [0, 0]).gain.tolist() == pytest.approx([0.5, 0.5])
        assert average_reward(mdp).gain[0] == pytest.approx(p / (p + q))
        if p > 0.01:
            assert minorization_time(mdp.P[:, 0]) == pytest.approx(1 / (2 * p))


def test_the_impatient_lose_what_is_stated() -> None:
    b = impatience()(3, 30)
    for mdp in (b[i] for i in range(30)):
        gamma, q = mdp.gamma, mdp.P[1, 0, 0]
        sol = policy_iteration(mdp)
        assert sol.pi.argmax(axis=1).tolist() == [0, 0]
        lost = average_reward(mdp).gain[0] - evaluate_average(mdp, sol.pi).gain[0]
        assert lost == pytest.approx((1 - gamma) / ((1 + gamma * q) * (1 + q)), rel=1e-3)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(ModelError, match="S is 0"):
        resets(0, 2)
