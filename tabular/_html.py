"""What notebooks show of models and solutions: a small table, escaped, without styles of its own (themes keep their colours)."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from tabular import _border as border

if TYPE_CHECKING:
    from tabular.finite_horizon import FiniteHorizonMDP
    from tabular.mdp import MDP

LONGEST = 300  # characters of a cell


def table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Rows of a name and a text as HTML; both are escaped, and long texts cut."""
    lines = [f'<tr><th scope="row">{_cell(name)}</th><td>{_cell(text)}</td></tr>' for name, text in rows]
    return f"<table><caption>{_cell(title)}</caption><tbody>{''.join(lines)}</tbody></table>"


def _cell(text: str) -> str:
    """Control characters and lone surrogates would end up in the page as they are."""
    clean = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    short = clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"
    return escape(short, quote=True).replace("\n", "<br>")


def mdp(m: MDP) -> str:
    """Of an MDP."""
    pairs = m.S * m.A
    rows = [
        ("states × actions", f"{m.S:,} × {m.A:,}"),
        ("discount", _discount(m)),
        ("transitions", f"{m.nnz:,}, {'sparse' if m.is_sparse else 'dense'}"),
    ]
    if not m.mask.all():
        rows.append(("unavailable", f"{int((~m.mask).sum()):,} of {pairs:,} pairs"))
    if m.has_end:
        rows.append(("may end", f"{int((m.end > 0).sum()):,} of {pairs:,} pairs"))
    low, high = float(m.rewards[m.mask].min()), float(m.rewards[m.mask].max())
    rows.append(("rewards", f"{low:g}" if low == high else f"{low:g} to {high:g}"))
    return table(f"MDP {m.name}".rstrip(), [*rows, *_common(m)])


def finite_horizon(m: FiniteHorizonMDP) -> str:
    """Of a model of H stages."""
    kinds = len(m._distinct)
    rows = [
        ("stages", f"{m.H:,}, {'all the same' if m.is_stationary else f'{kinds:,} of them distinct'}"),
        ("states × actions", f"{m.S:,} × {m.A:,}"),
        ("discount", _discount(m)),
        ("transitions", "sparse" if m.is_sparse else "dense"),
    ]
    if any(stage.has_end for stage in m._distinct):
        rows.append(("may end", "before the last stage"))
    return table(f"FiniteHorizonMDP {m.name}".rstrip(), [*rows, *_common(m)])


def _common(m: MDP | FiniteHorizonMDP) -> list[tuple[str, str]]:
    rows = []
    if m.rho is not None:
        rows.append(("starts in", f"{int((m.rho > 0).sum()):,} of {m.S:,} states"))
    for what, labels in (("states", m.state_labels), ("actions", m.action_labels)):
        if labels is not None:
            more = ", …" if len(labels) > 6 else ""
            rows.append((what, ", ".join(labels[:6]) + more))
    return [*rows, ("numbers", "exact" if m.is_exact else "float64")]


def _discount(m: MDP | FiniteHorizonMDP) -> str:
    exact = m.gamma_exact
    short = exact.denominator > 1 and exact.denominator < 10**6
    return f"{exact} = {border.discount(m.gamma)}" if short else border.discount(m.gamma)
