"""psrl: total regret of posterior sampling and of UCRL2 after as many steps, in the setting of the paper's table."""

from __future__ import annotations

from typing import Any

import numpy as np

from figures.bands import simultaneous_band
from figures.table import Table
from tabular import MDP
from tabular.exploration import PSRL, Random, episodic, interact, ucrl2
from tabular.instances import garnet, river_swim

DELTA = 0.05
QUICK: dict[str, Any] = {"T": 2000, "seeds": 5}


def large_mdp() -> MDP:
    """A Garnet of ten states and five actions, rewards moved to [0, 1]; start: state 0."""
    m = garnet(10, 5, gamma=(0.95,)).member(0, 1)
    return MDP(m.P, (m.rewards + 1.0) / 2.0, 0.95, rho=np.eye(10)[0], name="garnet(10, 5)")


def compute(*, T: int = 10_000, H: int = 20, seeds: int = 20, level: float = 0.95) -> Table:
    """Columns ``model``, ``learner``, ``setting``, ``mean`` total regret over seeds in units of reward, ``lower`` and ``upper``:
    Student's interval.

    T steps. ``setting`` is ``episodes`` (of H steps: regret of exact values, summed over T / H episodes) or
    ``average`` (against T times the optimal gain, of the rewards that came: it may be negative). Two settings, two
    units of regret: PSRL is for the first one, UCRL2 for the second, and nobody plays both here. Mean rewards are not
    known to either; PSRL has a normal-gamma prior, UCRL2 delta = 1/20.
    """
    rows: list[tuple[Any, ...]] = []
    for name, mdp in (("river_swim", river_swim(6)), ("garnet", large_mdp())):
        model = episodic(mdp, H)
        played = {
            "PSRL": interact(model, PSRL(known_rewards=False), T // H, seeds=seeds).result["total_regret"],
            "Random": interact(model, Random(), T // H, seeds=seeds).result["total_regret"],
        }
        found = ucrl2(mdp, T, delta=DELTA, seeds=seeds).history["regret"][:, -1]
        for learner, setting, x in (*((p, "episodes", x) for p, x in played.items()), ("UCRL2", "average", found)):
            band = simultaneous_band(x[:, None], level)
            rows.append((name, learner, setting, band.mean[0], band.lower[0], band.upper[0]))
    names = ("model", "learner", "setting", "mean", "lower", "upper")
    return Table.of_rows(names, rows, T=T, H=H, seeds=seeds, level=level, delta=DELTA)
