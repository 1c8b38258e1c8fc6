"""Every figure from a small table: the same bits again, nothing that nobody would submit, a caption that says what it must."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from figures import discovery
from figures.captions import plain, tex
from figures.exploration.fast_entropy_grid import AGENTS as GRID
from figures.exploration.fast_entropy_grid import SIDE
from figures.planning.foundations_tightness import MAIN
from figures.saving import faults
from figures.style import Style
from figures.table import Table

AGENTS = ("Random", "MTEE oracle", "EntGame, no bonus", "UCBVI-Ent")
SMALL: dict[str, dict[str, Any]] = {
    "deep.alpha_by_index": {"quick": True},
    "deep.critic_bias": {"quick": True},
    "deep.deep_against_tabular": {"quick": True},
    "deep.deep_sea_scaling": {"quick": True},
    "planning.average_reward_scaling": {"times": (1, 8), "multiples": (16, 64), "runs": 20},
    "planning.foundations_errors": {"points": 12},
    "planning.foundations_polytope": {"K": 20},
    "planning.foundations_tightness": {},
    "planning.foundations_times": {"results": "nowhere", "dense": (5, 10), "sparse": (50, 60), "rounds": 2},
    "planning.mdvi_averaging": {"lengths": (2, 4, 8), "runs": 100},
    "planning.mdvi_separation": {"K": 50, "alphas": (0.0, 0.9), "seeds": 3},
    "planning.mocovi_error": {"lams": (0.1, 1), "ds": (3,), "K": 5},
    "planning.sac_iteration": {"S": 5, "A": 2, "K": 5, "seeds": 2},
    "planning.sac_v2_temperature": {"points": 7, "seeds": 2},
    "planning.soft_robust_ring": {},
    "planning.tsallis_mvi_policies": {},
    "preferences.best_of_n_divergence": {},
    "exploration.fast_entropy_grid": {},
    "exploration.fast_entropy_rates": {"K": 256, "seeds": 2},
    "exploration.fast_entropy_visits": {"agents": AGENTS, "transitions": 400, "seeds": 2},
    "exploration.psrl_comparison": {"T": 200, "seeds": 3},
    "exploration.ucbvi_lower_bound": {"Ks": (64, 128), "seeds": 3},
    "exploration.ucbvi_regret": {"K": 64, "seeds": 2},
    "exploration.ucrl2_regret": {"T": 500, "seeds": 3},
}
TIMED = {"planning.foundations_times"}
"""Its numbers are times."""


def grouped(name: str) -> Any:
    """One worker computes a table; deep learners are compiled where their other tests are."""
    group = "deep runs" if name.startswith("deep.") else f"figure {name}"
    return pytest.param(name, marks=pytest.mark.xdist_group(group), id=name)


EACH = [grouped(name) for name in SMALL]


def attacked() -> Table:
    """As the attacks of all the claims would leave it, which take minutes."""
    rows: list[tuple[Any, ...]] = []
    for i, (claim, words) in enumerate(MAIN.items()):
        top = 1.0 - 10.0 ** -(i % 6) if i % 3 else 1.0
        rows += [(claim, words, "instance", x * top) for x in np.linspace(0.02, 0.9, 50)]
        rows += [(claim, words, kind, x * top) for kind, x in (("median", 0.4), ("drawn", 0.97), ("attacked", 1.0))]
    return Table.of_rows(("claim", "words", "kind", "ratio"), rows, evaluations=1, seed=0)


def visited() -> tuple[Table, Table]:
    """Of all agents on the grid; the oracles of the real table take seconds."""
    counts = np.random.default_rng(5).poisson(np.geomspace(0.02, 3000, SIDE**2))
    rows = [("grid", agent, s, float(n), 0.0, 2.0 * n) for agent in GRID for s, n in enumerate(counts)]
    even = [("grid", agent, "states", 0.711, 0.7, 0.72) for agent in GRID]
    told = {"H": 20, "level": 0.95, "transitions": 600_000, "seeds": 12}
    names = ("world", "agent", "state", "mean", "lower", "upper")
    return Table.of_rows(names, rows, **told), Table.of_rows(("world", "agent", "quantity", *names[3:]), even, **told)


MADE_UP = {"planning.foundations_tightness": attacked, "exploration.fast_entropy_grid": visited}


def computed(name: str) -> Any:
    return MADE_UP[name]() if name in MADE_UP else import_module(f"figures.{name}").compute(**SMALL[name])


table = cache(computed)


def test_no_figure_is_left_out() -> None:
    assert {f"{e.room}.{e.name}" for e in discovery.entries() if e.drawn} == set(SMALL)


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize(("venue", "column"), [("neurips", "double"), ("icml", "single")])
def test_nothing_is_cut_off_too_small_or_overlaps(name: str, venue: str, column: str) -> None:
    style = Style.of(venue, column)
    with style.context():
        figure = import_module(f"figures.{name}").draw(table(name), style)
        assert faults(figure) == []
    assert figure.get_figwidth() == style.width


@pytest.mark.parametrize("name", EACH)
def test_captions_say_what_they_must(name: str) -> None:
    caption = import_module(f"figures.{name}").caption(table(name))
    assert tex(caption).count("$") % 2 == 0 and "\\" not in plain(caption).replace("\\{", "")
    for words in (("norm",), ("temperature", "discount"), ("seed", "runs"), ("band", "bars")):
        assert any(w in caption.lower() for w in words), words


@pytest.mark.parametrize("name", [p for p in EACH if p.id not in TIMED | set(MADE_UP)])
def test_tables_repeat_to_the_bit(name: str) -> None:
    one, two = (t if isinstance(t, tuple) else (t,) for t in (table(name), computed(name)))
    for a, b in zip(one, two, strict=True):
        assert len(a) > 0 and list(a.columns) == list(b.columns) and a.parameters == b.parameters
        for column, x in a.columns.items():
            np.testing.assert_array_equal(x, b.columns[column])
