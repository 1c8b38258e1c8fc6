"""Drawings at print size: every letter inside the page, none too small, captions that can be set and say what they must."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import pytest

from figures.captions import plain, tex
from figures.saving import faults
from figures.style import Style

SMALL: dict[str, dict[str, Any]] = {
    "deep.alpha_by_index": {"quick": True},
    "deep.critic_bias": {"quick": True},
    "deep.deep_against_tabular": {"quick": True},
    "deep.deep_sea_scaling": {"quick": True},
    "planning.average_reward_scaling": {"times": (1, 8), "multiples": (16, 64), "runs": 20},
    "planning.foundations_errors": {"points": 12},
    "planning.foundations_polytope": {"K": 20},
    "planning.foundations_tightness": {
        "claims": ("foundations.C15", "foundations.C2", "foundations.C14"),
        "evaluations": 50,
    },
    "planning.foundations_times": {"results": "nowhere", "dense": (5, 10), "sparse": (50, 60), "rounds": 2},
    "planning.mdvi_averaging": {"lengths": (2, 4, 8), "runs": 100},
    "planning.mdvi_separation": {"K": 50, "alphas": (0.0, 0.9), "seeds": 3},
    "planning.mocovi_error": {"lams": (0.1, 1), "ds": (3,), "K": 5},
    "planning.sac_iteration": {"S": 5, "A": 2, "K": 5, "seeds": 2},
    "planning.sac_v2_temperature": {"points": 7, "seeds": 2},
    "planning.soft_robust_ring": {},
    "planning.tsallis_mvi_policies": {},
    "preferences.best_of_n_divergence": {},
    "exploration.psrl_comparison": {"T": 200, "seeds": 3},
    "exploration.ucbvi_lower_bound": {"Ks": (64, 128), "seeds": 3},
    "exploration.ucrl2_regret": {"T": 500, "seeds": 3},
}


def grouped(name: str) -> Any:
    """Deep learners are compiled where their other tests are."""
    return pytest.param(name, marks=pytest.mark.xdist_group("deep runs")) if name.startswith("deep.") else name


NAMES = [grouped(name) for name in SMALL]


@cache
def table(name: str) -> Any:
    return import_module(f"figures.{name}").compute(**SMALL[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("venue", "column"), [("neurips", "double"), ("icml", "single")])
def test_nothing_is_cut_off_too_small_or_overlaps(name: str, venue: str, column: str) -> None:
    style = Style.of(venue, column)
    with style.context():
        figure = import_module(f"figures.{name}").draw(table(name), style)
        assert faults(figure) == []
    assert figure.get_figwidth() == style.width


@pytest.mark.parametrize("name", NAMES)
def test_captions_say_what_they_must(name: str) -> None:
    caption = import_module(f"figures.{name}").caption(table(name))
    assert tex(caption).count("$") % 2 == 0 and "\\" not in plain(caption).replace("\\{", "")
    for words in (("norm",), ("temperature", "discount"), ("seed", "runs"), ("band", "bars")):
        assert any(w in caption.lower() for w in words), words
