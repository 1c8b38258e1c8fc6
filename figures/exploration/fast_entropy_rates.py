r"""fast_entropy: how far from the best agents are, against episodes: fast where entropy regularises, slow for best policies.

Three problems. ``trajectory``: what the policy of episode k lacks of the largest trajectory entropy, UCBVI-Ent.
``pooled``: what the mixture of the first k policies lacks of the largest pooled entropy, EntGame. ``reward``: what
the mixture of K policies lacks of the best value where no rewards are regularised, on planted arms whose gap is
:math:`\sqrt{MA/K}/4`: a model of its own for each K, the worst for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.bands import simultaneous_band
from figures.exploration.ucbvi_regret import lower_bound_gap, random_mdp
from figures.panels import decimals, each, floored, outer, panels, percent
from figures.pieces import Runs, Tell, results
from figures.table import Table
from tabular import FiniteHorizonMDP
from tabular.exploration import Hoeffding, OptimisticPlanning, episodic, interact
from tabular.exploration.fast_entropy import maximum_pooled_entropy
from tabular.exploration.fast_entropy_agents import EntGame, UCBVI_Ent
from tabular.instances.regret_bounds import planted_arm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "Fast rates for entropy, slow ones for rewards"
CLAIMS = ("fast_entropy.C9",)
TABLES = ("gaps", "slopes")
H, SHARE, RESAMPLES = 6, 64, 2000
ARMS, STEPS = 4, 10
GAP = 1e-5
RATES = {"trajectory": -1.0, "pooled": -0.5, "reward": -0.5}
"""What theory has: the rate of UCBVI-Ent, an upper bound for EntGame, and the lower bound for best policies."""
QUICK: dict[str, Any] = {"K": 4096, "seeds": 16}
SECONDS = {"quick": 25.0}
NAMES = {"trajectory": "trajectory entropy", "pooled": "pooled entropy", "reward": "reward"}


def compute(
    *, K: int = 65_536, seeds: int = 32, level: float = 0.95, keep: str | Path | None = None, tell: Tell | None = None
) -> tuple[Table, Table]:
    """Gaps and slopes. A Garnet of six states, three actions and six steps for the entropies.

    Gaps: columns ``problem``, ``agent``, ``scale`` of its bonus, ``episode``, ``mean`` over seeds (nats, or units of
    reward), ``lower`` and ``upper``: a sup-t band for all episodes of a curve at once. ``floor``: the part of the gap
    that may be the oracle's. ``guide``: a power of the episode with the theory's exponent, through the last mean.

    Slopes: ``problem``, ``agent``, ``scale``, ``slope`` of the logarithm of the mean against that of the episode,
    from K/64 on, ``lower`` and ``upper``: percentiles over resampled seeds (not simultaneous); ``rate``, the exponent
    of the theory. ``keep``, ``tell``: as in ``figures.pieces.results``.
    """
    fh = episodic(random_mdp(), H)
    best = maximum_pooled_entropy(fh, tol=GAP)
    runs = {("trajectory", "UCBVI-Ent", scale): _soft(fh, UCBVI_Ent(bonus_scale=scale), K) for scale in (0.0, 1.0)} | {
        ("pooled", "EntGame", scale): _game(fh, EntGame(bonus_scale=scale), K, best.upper) for scale in (0.0, 1.0)
    }
    runs["reward", "OptimisticPlanning Hoeffding", 0.1] = _planted(K)
    found = results(list(runs.values()), range(seeds), keep=keep, tell=tell)
    rows: list[tuple[Any, ...]] = []
    fits: list[tuple[Any, ...]] = []
    for named, one in runs.items():
        episodes, gaps = found[one.name]["episode"][0], found[one.name]["gap"]
        band = simultaneous_band(gaps, level)
        floor = best.gap if named[0] == "pooled" else 0.0
        guide = band.mean[-1] * (episodes / episodes[-1]) ** RATES[named[0]]
        rows += [(*named, *x, floor) for x in zip(episodes, band.mean, band.lower, band.upper, guide, strict=True)]
        fits.append((*named, *slope(episodes, gaps, K / 64, level), RATES[named[0]]))
    gap_names = ("problem", "agent", "scale", "episode", "mean", "lower", "upper", "guide", "floor")
    slope_names = ("problem", "agent", "scale", "slope", "lower", "upper", "rate")
    told = {"K": K, "seeds": seeds, "level": level}
    return Table.of_rows(gap_names, rows, **told), Table.of_rows(slope_names, fits, **told)


def draw(table: tuple[Table, Table], style: Style) -> Figure:
    """A panel for each problem, with the slopes measured."""
    gaps, slopes = table
    problems = each(gaps.columns["problem"])
    fig, axes = panels(style, len(problems), 1.0 if style.width > 4 else 0.6, least=1.7)
    for ax, problem in zip(axes, problems, strict=True):
        part = gaps.where(problem=problem)
        for i, scale in enumerate(each(part.columns["scale"])):
            c = part.where(scale=scale).columns
            found = slopes.where(problem=problem, scale=scale).columns["slope"][0]
            what = {0.0: "no bonus", 1.0: "full bonus"}.get(scale, f"bonus scaled by {scale:g}")
            label = f"{what}: ${found:.2f}$"
            style.band(ax, c["episode"], c["lower"], c["upper"], i)
            ax.plot(c["episode"], c["mean"], label=label, markevery=max(1, len(c["episode"]) // 6), **style.line(i))
            late = c["episode"] >= gaps.parameters["K"] / 64
            ax.plot(c["episode"][late], c["guide"][late], color="#666666", linewidth=0.7, linestyle=(0, (4, 2)))
        floored(ax, part.columns["mean"], float(part.columns["floor"].max()))
        ax.set_xscale("log")
        if part.columns["mean"].max() < 30 * part.columns["mean"].min():
            decimals(ax.yaxis)
        ax.set_title(NAMES[problem])
        ax.legend(loc="lower left", handlelength=1.8)
    outer(axes, x="episode", y="gap")
    return fig


def caption(table: tuple[Table, Table]) -> str:
    """What the figure shows."""
    p = table[0].parameters
    return (
        "How far from the best agents are, against episodes, and the slopes of the logarithms over the last 63 "
        "parts in 64. Trajectory entropy (nats): "
        "the policy of each episode of UCBVI-Ent, which regularises by entropy at temperature 1; pooled entropy "
        "(nats): the mixture of all policies of "
        "EntGame; both on a Garnet of six states and three actions with six steps, against certified optima. "
        "Reward (units of reward, temperature 0): the "
        r"mixture of K policies of optimistic planning, planted arms, whose gap $\sqrt{MA/K}/4$ is the worst for "
        "each K. Dashed: powers with the exponents of "
        f"the theory, -1, -1/2 and -1/2. Lines: means over {p['seeds']} seeds; bands: simultaneous over all "
        f"episodes of a curve, {percent(p['level'])} (sup-t); "
        "one that reaches zero goes down to the edge. Gaps are numbers: no norm."
    )


def slope(episodes: np.ndarray, gaps: np.ndarray, least: float, level: float) -> tuple[float, float, float]:
    """Of gaps (seeds, n): the least squares slope of log mean against log episode from ``least`` on, and percentiles of the same
    over resampled seeds."""
    late = episodes >= least
    x = np.log(episodes[late])
    x = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    rng = np.random.default_rng(np.random.SeedSequence(9))
    drawn = gaps[rng.integers(0, len(gaps), (RESAMPLES, len(gaps)))][:, :, late].mean(axis=1)
    low, high = np.quantile(np.log(drawn) @ x, [(1 - level) / 2, (1 + level) / 2])
    return float(np.log(gaps[:, late].mean(axis=0)) @ x), float(low), float(high)


def _soft(fh: FiniteHorizonMDP, learner: UCBVI_Ent, K: int) -> Runs:
    def run(seed: int) -> dict[str, np.ndarray]:
        played = interact(fh, learner, K, seeds=[seed], threads=1)
        return {
            "episode": played.history["episode"],
            "gap": fh.rho @ played.info["V_star"][0] - played.history["value"][0],
        }

    return Runs(f"rates {learner!r} K={K}", run, _trial(fh, learner, K))


def _game(fh: FiniteHorizonMDP, learner: EntGame, K: int, best: float) -> Runs:
    def run(seed: int) -> dict[str, np.ndarray]:
        played = interact(fh, learner, K, seeds=[seed], threads=1)
        return {"episode": played.history["episode"], "gap": best - played.history["pooled_entropy"][0]}

    return Runs(f"rates {learner!r} K={K}", run, _trial(fh, learner, K))


def _planted(K: int) -> Runs:
    learner = OptimisticPlanning(Hoeffding(0.1))
    Ks: Sequence[int] = [K // 4**i for i in range(int(log(K / 64) / log(4)), -1, -1)]

    def run(seed: int) -> dict[str, np.ndarray]:
        gaps = []
        for k in Ks:
            model = planted_arm(ARMS, ARMS, STEPS, lower_bound_gap(ARMS, ARMS, k), seed=seed)
            gaps.append(interact(model, learner, k, seeds=[seed], record=[k], threads=1).result["total_regret"][0] / k)
        return {"episode": np.array(Ks), "gap": np.array(gaps)}

    model = planted_arm(ARMS, ARMS, STEPS, sqrt(ARMS * ARMS / K) / 4)
    return Runs(f"rates {learner!r} {Ks}", run, _trial(model, learner, K))


def _trial(fh: FiniteHorizonMDP, learner: Any, K: int) -> Any:
    def trial() -> float:
        few = max(1, K // SHARE)
        interact(fh, learner, few, threads=1)
        return few / K

    return trial
