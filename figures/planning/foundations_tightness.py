"""foundations, mdvi, mocovi, sac, soft_robust, average_reward, fast_entropy, best_of_n: how tight the main theorems are.

For each claim the quotients measured / bound of its own random instances, the largest of the runs in the store, and the
largest that an attack finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from figures.panels import each
from figures.pieces import Runs, Tell, results
from figures.table import Table
from figures.tightness import known
from proofs_check.adversary.engine import attack
from proofs_check.claim import Claim
from proofs_check.loading import load_paper
from proofs_check.report.results import CURRENT, found
from proofs_check.runner import screened
from proofs_check.selection import papers
from proofs_check.workers import code_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.style import Style

TITLE = "How tight the main theorems are"
MAIN = {
    "foundations.C2": "soft backups contract",
    "foundations.C14": "price of the temperature",
    "foundations.C15": "error from the residual",
    "foundations.C18": "loss of a greedy policy",
    "foundations.C23": "simulation lemma",
    "mdvi.C2b": "MDVI's values stay bounded",
    "mdvi.C3": "MDVI's error propagation",
    "mocovi.C3": "corrected model, value",
    "sac.C3b": "quadratic rate of soft PI",
    "soft_robust.C2": "robust backups contract",
    "soft_robust.C4a": "robust gradient domination",
    "soft_robust.C7a": "price of robustness",
    "average_reward.C1": "discounted to average",
    "average_reward.C3": "reduction to discounts",
    "fast_entropy.C2": "trajectory below visitation",
    "fast_entropy.C7": "fast-rate lemma",
    "fast_entropy.C7b": "fast-rate lemma, optimistic",
    "best_of_n.C7": "best-of-n estimator",
}
"""Claims by what they say."""
QUICK: dict[str, Any] = {"evaluations": 600}
SECONDS = {"quick": 120.0, "paper": 2400.0}


def compute(
    *,
    claims: Sequence[str] = tuple(MAIN),
    evaluations: int = 60_000,
    seed: int = 0,
    keep: str | Path | None = None,
    store: str | Path | None = None,
    tell: Tell | None = None,
) -> Table:
    """Columns ``claim``, ``words``, ``kind`` and ``ratio`` = measured / bound, no units.

    ``instance``: of one of the first instances of the claim's families, as many as a verdict screens at once, where the bound is
    positive; rounded down by the enclosures of floats. ``median`` of these. ``drawn``: the largest of all instances of the run of
    this claim in the ``store``, where it has one of the sources as they are. ``attacked``: the largest that ``attack`` reaches in
    so many evaluations, settled exactly, never below the others; attacks are kept in ``keep``, claim by claim. Raises ValueError
    for a claim without quotients.
    """
    listed, stored, rows = papers(), known(Path(store)) if store is not None else None, []
    for name in claims:
        paper = listed[name.partition(".")[0]]
        (claim,) = (c for c in load_paper(paper.room, paper.key) if c.id == name)
        ratios = instances(claim)
        attacked = _attacked(claim, evaluations, seed, keep) if len(ratios) else np.nan
        if np.isnan(attacked):
            raise ValueError(f"{name} has no quotients")
        words, top = MAIN.get(name, name), [attacked, ratios.max()]
        rows += [(name, words, "instance", x) for x in ratios.tolist()]
        rows.append((name, words, "median", float(np.median(ratios))))
        there = None if stored is None else found(claim, stored, paper.room)
        if (
            there is not None
            and there.state == CURRENT
            and there.verdict is not None
            and there.verdict.ratio is not None
        ):
            top.append(there.verdict.ratio)
            rows.append((name, words, "drawn", there.verdict.ratio))
        rows.append((name, words, "attacked", float(max(top))))
        if tell is not None:
            tell(f"{name}: {max(top):.6g}")
    return Table.of_rows(("claim", "words", "kind", "ratio"), rows, evaluations=evaluations, seed=seed)


def _attacked(claim: Claim, evaluations: int, seed: int, keep: str | Path | None) -> float:
    """NaN where there is no quotient."""

    def run(seed: int) -> dict[str, np.ndarray]:
        ratio = attack(claim, evaluations, seed).ratio
        return {"ratio": np.array(np.nan if ratio is None else ratio)}

    name = f"attack {claim.id} {code_of(claim)} {evaluations}"
    return float(results([Runs(name, run)], (seed,), keep=keep)[name]["ratio"][0])


def instances(claim: Claim) -> np.ndarray:
    """Quotients of the first instances of each family, without those where the bound is not positive; of an identity none."""
    first = [screened(claim, f"{family.name}[{f}]:0", 0) for f, family in enumerate(claim.family)]
    seen = [s for s in first if s is not None]
    ratios = [np.asarray(s.ratio, dtype=np.float64) for s in seen if s.quotient and not s.identity]
    return np.concatenate([r[np.isfinite(r)] for r in (np.empty(0), *ratios)])


def draw(table: Table, style: Style) -> Figure:
    """A row for each claim: a stroke for each instance, a bar at their median, a square for the store, a star for the attack."""
    claims = each(table.columns["claim"])
    narrow = style.width < 4
    fig, ax = style.figure(1, 1, min((1.0 + 0.165 * len(claims)) / style.width, 1.4))
    named = False
    for y, claim in enumerate(reversed(claims)):
        part = table.where(claim=claim)
        x = part.where(kind="instance").columns["ratio"]
        strokes = {"marker": "|", "markersize": 6, "linestyle": "none", "color": style.palette[0], "alpha": 0.35}
        ax.plot(x, [y] * len(x), markeredgewidth=0.5, label="random instance" if y == 0 else None, **strokes)
        drawn = part.where(kind="drawn").columns["ratio"]
        if len(drawn):
            square = {"marker": "s", "markersize": 4, "linestyle": "none", "color": "black", "markerfacecolor": "none"}
            label = None if named else "largest of the stored runs"
            ax.plot(drawn, [y], markeredgewidth=0.7, clip_on=False, zorder=4, label=label, **square)
            named = True
        middle = part.where(kind="median").columns["ratio"][0]
        look = {"marker": "|", "markersize": 9, "linestyle": "none", "color": "black", "markeredgewidth": 1.6}
        ax.plot(middle, y, label="median" if y == 0 else None, **look)
        top = part.where(kind="attacked").columns["ratio"][0]
        star = {
            "marker": "*",
            "markersize": 6,
            "linestyle": "none",
            "color": style.palette[3],
            "markeredgecolor": "white",
        }
        ax.plot(top, y, markeredgewidth=0.4, label="largest found" if y == 0 else None, zorder=5, clip_on=False, **star)
        ax.annotate(
            _near_one(top),
            (1, y),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.small - 0.5,
        )
    words = [table.where(claim=c).columns["words"][0] for c in reversed(claims)]
    ax.set_yticks(
        range(len(claims)), words if narrow else [f"{w}  ({c})" for w, c in zip(words, reversed(claims), strict=True)]
    )
    ax.set_ylim(-0.7, len(claims) - 0.3)
    ax.set_xlim(-0.01, 1.02)
    ax.axvline(1.0, color="#666666", linewidth=0.6, zorder=0)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("measured / bound")
    for y in range(len(claims)):
        ax.axhline(y, color="#EEEEEE", linewidth=0.5, zorder=0)
    style.legend(fig, [ax])
    return fig


def _near_one(x: float) -> str:
    """Digits that tell a number from one, rounded down."""
    if x >= 1.0:
        return "1"
    if 1.0 - x >= 5e-4:
        return f"{np.floor(1000 * x) / 1000:.3f}"
    power = int(np.ceil(np.log10(1.0 - x)))
    return rf"$1 - 10^{{{power}}}$"


def caption(table: Table) -> str:
    """What the figure shows."""
    p = table.parameters
    names = ", ".join(each(table.columns["claim"]))
    stored = len(table.where(kind="drawn"))
    squares = f"; square: the largest of all instances of the stored runs of {stored} of the claims" if stored else ""
    return (
        "How near instances come to the bounds of theorems: measured over bound, 1 where a bound is attained and "
        "above 1 where it would be refuted. Strokes: "
        f"random instances of each claim's own families, where its bound is positive; bar: their median{squares}; star "
        "and number at the right: the largest found, by these or by an "
        f"attack of {p['evaluations']} evaluations (seed {p['seed']}), settled exactly, and rounded down: $1 - "
        f"10^{{-k}}$ is at least that. Both sides have the "
        "norm that the theorem names, and no units; temperatures are drawn with the instances. No band. Claims, "
        f"from above: {names}."
    )
