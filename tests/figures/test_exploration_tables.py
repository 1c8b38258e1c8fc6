"""The numbers behind the exploration room's figures, at quick size: exact ones to rounding, and bounds that theory has."""

from __future__ import annotations

import numpy as np
import pytest

from figures.exploration import (
    fast_entropy_rates,
    fast_entropy_visits,
    psrl_comparison,
    ucbvi_lower_bound,
    ucbvi_regret,
    ucrl2_regret,
)
from figures.exploration.ucbvi_regret import MODELS, PLAYERS
from figures.table import Table
from tabular.exploration import episodic
from tabular.exploration.visits import visits

FEW = [p for p in PLAYERS if p.learner in ("UCBVI-CH", "UCBVI-BF", "UCB-H", "PSRL", "Random")]


def loops(model, pi: np.ndarray | None) -> float:
    """The value from the start of a policy (None: the best one), by plain backward induction."""
    P, R, V = model.stage(0).to_dense().P, model.stage(0).rewards, np.zeros(model.S)
    for h in reversed(range(model.H)):
        Q = R + P @ V
        V = Q.max(axis=1) if pi is None else (pi[h] * Q).sum(axis=1)
    return float(model.rho @ V)


# -- regret -------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def regret() -> Table:
    return ucbvi_regret.compute(K=200, seeds=4, players=FEW)


def test_curves_rise_inside_their_bands_and_below_what_can_be_lost(regret: Table) -> None:
    c = regret.columns
    assert (c["lower"] <= c["mean"]).all() and (c["mean"] <= c["upper"]).all()
    assert set(c["model"]) == set(MODELS) and set(c["bonus"]) == {"printed", "derived", "chosen", "none"}
    for name, make in MODELS.items():
        model = make(200)
        for p in FEW:
            curve = regret.where(model=name, learner=p.learner, scale=p.scale).columns
            assert curve["episode"][-1] == 200 and (np.diff(curve["mean"]) >= -1e-9).all()
            assert (curve["mean"] <= curve["episode"] * loops(model, None) + 1e-9).all()


def test_uniform_actions_lose_the_same_in_every_episode(regret: Table) -> None:
    for name, make in MODELS.items():
        model = make(200)
        lost = loops(model, None) - loops(model, np.full((model.H, model.S, model.A), 1 / model.A))
        c = regret.where(model=name, learner="Random").columns
        np.testing.assert_allclose(c["mean"], lost * c["episode"], rtol=1e-9)
        assert (c["upper"] - c["lower"] <= 1e-9 * c["mean"]).all()  # no noise in exact values


def test_printed_bounds_are_those_of_the_claims_and_say_nothing(regret: Table) -> None:
    found = ucbvi_regret.bounds(regret).columns
    assert len(found["bound"]) == 3 * len(MODELS) and found["vacuous"].all()
    assert (found["mean"] <= found["trivial"]).all() and (found["first"] > 1e8).all()
    # RiverSwim, H = 10, delta = 1/10: the numbers of ucbvi.C1, ucbvi.C2 and optimistic_q.C2.
    for learner, first in (("UCBVI-CH", 2.8e8), ("UCBVI-BF", 2.1e9), ("UCB-H", 3e8)):
        K = ucbvi_regret.first_said(learner, 10, 6, 2, 0.1)
        assert K == pytest.approx(first, rel=0.1)
        assert ucbvi_regret.regret_bound(learner, 10, 6, 2, K, 0.1) < 10 * K
        assert ucbvi_regret.regret_bound(learner, 10, 6, 2, K / 1.01, 0.1) > 10 * K / 1.01
    with pytest.raises(ValueError, match="no bound with named constants is known for 'PSRL'"):
        ucbvi_regret.regret_bound("PSRL", 10, 6, 2, 100, 0.1)


# -- the lower bound ----------------------------------------------------------------------------------------
def test_no_learner_beats_the_lower_bound() -> None:
    """The mean over planted arms is at least ``least``; a band below it would refute the bound, or the regret."""
    c = ucbvi_lower_bound.compute(Ks=(64, 256), seeds=16).columns
    assert (c["upper"] >= c["least"]).all() and (c["least"] > 0.08).all()
    uniform = c["learner"] == "Random"
    np.testing.assert_allclose(c["mean"][uniform], c["uniform"][uniform], rtol=1e-9)
    np.testing.assert_allclose(c["uniform"], 0.9 / 4 * 0.75, rtol=1e-12)  # (H-1)/H times a quarter times 1 - 1/A
    assert (c["uniform"] >= c["least"]).all()


def test_the_lower_bound_is_that_of_a_guess_where_nothing_is_seen() -> None:
    assert ucbvi_lower_bound.least_regret(4, 4, 10, 100, 0.0) == 0
    tiny = 1e-9
    assert ucbvi_lower_bound.least_regret(1, 4, 2, 100, tiny) == pytest.approx(100 * tiny * 0.75, rel=1e-6)
    assert ucbvi_lower_bound.least_regret(1, 2, 2, 10_000, 0.25) == 0  # a gap that is seen at once: no bound


# -- average reward -----------------------------------------------------------------------------------------
def test_epochs_and_gains_of_ucrl2() -> None:
    size = {"T": 1000, "seeds": 3}
    table = ucrl2_regret.compute(**size, widths=ucrl2_regret.WIDTHS[:2])
    c = table.columns
    sizes = {name: (m.S * m.A) for name, m in ((n, make(1000)) for n, make in ucrl2_regret.MODELS.items())}
    most = np.array([1 + sizes[name] * np.log2(1 + 2 * 1000 / sizes[name]) for name in c["model"]])
    assert (c["epochs"] <= most).all()  # ucrl2.C5a
    assert (c["mean"] >= -1e-9).all() and (c["mean"] <= c["step"]).all()
    found = ucrl2_regret.bounds(table).columns
    assert found["vacuous"].all() and len(found["model"]) == 4


def test_diameters() -> None:
    """The gadget is left with 1/16 from the state that pays; DeepSea needs a step a column."""
    assert ucrl2_regret.diameter(ucrl2_regret.MODELS["gadget"](1000)) == pytest.approx(16, rel=1e-9)
    assert ucrl2_regret.diameter(ucrl2_regret.MODELS["deep_sea"](1000)) == pytest.approx(9, rel=1e-9)
    times = [1 / 0.6]  # RiverSwim, always right: from each state to the next
    for _ in range(4):
        times.append((1 + 0.05 * times[-1]) / 0.35)
    assert ucrl2_regret.diameter(ucrl2_regret.MODELS["river_swim"](1000)) == pytest.approx(sum(times), rel=1e-9)


def test_posterior_sampling_loses_less_than_uniform_actions() -> None:
    table = psrl_comparison.compute(**psrl_comparison.QUICK)
    for model in ("river_swim", "garnet"):
        sampled, uniform = (table.where(model=model, learner=x).columns for x in ("PSRL", "Random"))
        assert sampled["upper"][0] < uniform["lower"][0]
    assert set(table.columns["setting"]) == {"episodes", "average"}


# -- entropy ------------------------------------------------------------------------------------------------
AGENTS = ("Random", "MTEE oracle", "MVEE oracle", "pooled oracle", "MaxEnt", "EntGame, no bonus", "UCBVI-Ent")


@pytest.fixture(scope="module")
def explored() -> tuple[Table, Table]:
    size = {"worlds": ("double_chain",), "transitions": 2000, "seeds": 4}
    return fast_entropy_visits.compute(**size, agents=AGENTS, level=0.999)


def test_visits_add_up_and_those_of_a_policy_are_expected(explored: tuple[Table, Table]) -> None:
    counted, _ = explored
    world = fast_entropy_visits.WORLDS["double_chain"]
    fh = episodic(world.make(), fast_entropy_visits.H)
    for agent in AGENTS:
        c = counted.where(agent=agent).columns
        assert c["state"].tolist() == list(range(31)) and c["mean"].sum() == pytest.approx(2000)
        assert (c["lower"] >= 0).all()
        learner = fast_entropy_visits.AGENTS[agent](fh, world)
        if hasattr(learner, "pi"):
            expected = 100 * visits(fh, learner.pi).sum(axis=(0, 2))
            common = expected >= 5  # rare counts are not Gaussian, and unseen ones have no width
            assert ((c["lower"] <= expected) & (expected <= c["upper"]))[common].all() and common.sum() > 15


def test_entropies_keep_their_order(explored: tuple[Table, Table]) -> None:
    _, spread = explored

    def mean(agent: str, quantity: str, column: str = "mean") -> float:
        return float(spread.where(agent=agent, quantity=quantity).columns[column][0])

    for quantity in ("pooled", "visitation"):
        top = spread.where(agent="maximum", quantity=f"best {quantity}").columns["upper"][0]
        assert (spread.where(quantity=quantity).columns["mean"] <= top + 1e-12).all()
    best = spread.where(agent="maximum", quantity="best pooled").columns
    assert best["upper"][0] - best["lower"][0] <= fast_entropy_visits.POOLED_GAP
    assert mean("pooled oracle", "pooled") == pytest.approx(best["lower"][0], abs=1e-9)
    assert mean("MVEE oracle", "visitation") == pytest.approx(mean("maximum", "best visitation"), abs=1e-6)
    for agent in ("Random", "MTEE oracle", "MVEE oracle", "pooled oracle", "MaxEnt", "EntGame, no bonus"):
        assert mean(agent, "visitation") <= mean(agent, "pooled") + 1e-12  # concavity
    # On the chain all transitions are equally uncertain: the largest trajectory entropy is that of uniform actions.
    for quantity in ("states", "pairs", "pooled", "visitation"):
        assert mean("MTEE oracle", quantity) == pytest.approx(mean("Random", quantity), abs=1e-9)
    assert mean("EntGame, no bonus", "pooled", "lower") > mean("Random", "pooled", "upper")


def test_rates_are_those_of_the_theory() -> None:
    """Slopes as fast_entropy.C9a and C9b have them for plug-in policies, -1 and -1/2 up to a tenth: no interval excludes that. With
    its whole bonus UCBVI-Ent is far from its rate at feasible sizes, and nothing is asked of it."""
    gaps, slopes = fast_entropy_rates.compute(K=4096, seeds=8)
    found = {
        (p, s): (low, high)
        for p, s, low, high in zip(*(slopes.columns[n] for n in ("problem", "scale", "lower", "upper")), strict=True)
    }
    for key, rate in ((("trajectory", 0.0), -1.0), (("reward", 0.1), -0.5)):
        low, high = found[key]
        assert low <= rate + 0.1 and high >= rate - 0.1
    assert found["trajectory", 0.0][1] < found["reward", 0.1][0]  # the separation
    assert found["pooled", 0.0][0] <= -0.5  # an upper bound of the gap of this order
    c = gaps.columns
    assert (c["mean"] >= -c["floor"] - 1e-9).all()


def test_slopes_of_powers() -> None:
    k = np.array([1, 2, 4, 8, 16, 32])
    gaps = np.array([[3.0], [5.0]]) * k**-0.75
    np.testing.assert_allclose(fast_entropy_rates.slope(k, gaps, 2, 0.9), -0.75, rtol=1e-12)
