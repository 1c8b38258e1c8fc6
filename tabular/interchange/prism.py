"""PRISM's explicit files, in PRISM's dialect and in Storm's: ``write_prism(stem, mdp)`` and ``read_prism(tra, gamma)``.

==========  ==============================================  =========================================
file        PRISM                                           Storm
==========  ==============================================  =========================================
``.tra``    ``S choices transitions``, then ``s c t p a``   ``mdp``, then ``s c t p``
``.lab``    ``0="init" 1="done"``, then ``s: 0 1``          ``#DECLARATION``, names, ``#END``, ``s name``
``.sta``    ``(s)``, then ``s:(s)``                         none
``.srew``   ``S entries``, then ``s r``                     ``s r``
``.trew``   ``S choices entries``, then ``s c t r``         ``s c t r``
==========  ==============================================  =========================================

Neither has a discount, endings or a start distribution. PRISM's numbers may be rationals (its exact mode writes ``2/5``) and its
rewards negative; Storm reads floats, and rewards from 0. Both take the reward of a choice from its transitions, all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tabular import _validate as check
from tabular.interchange._explicit import Options, action_names, to_mdp, written
from tabular.interchange._prism_reader import Reader, lines_of
from tabular.interchange._text import LARGEST_FILE, Source, said, write_bytes
from tabular.mdp import MDP

DIALECTS = ("prism", "storm")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def write_prism(
    stem: str | os.PathLike[str],
    mdp: MDP,
    *,
    dialect: str = "prism",
    end_label: str | None = None,
    drop: Collection[str] = (),
) -> list[Path]:
    """Write ``stem.tra``, ``stem.lab``, ``stem.trew`` and in PRISM's dialect ``stem.sta``; the files that were written.

    ``end_label`` and ``drop`` as in ``write_drn``. State labels are not written, action labels in PRISM's dialect alone.
    Raises ModelError for what the dialect cannot say: rationals and negative rewards in Storm's.
    """
    _dialect(dialect)
    if end_label is not None and (not NAME.fullmatch(end_label) or end_label in ("init", "deadlock")):
        raise ValueError(f"end_label is {end_label!r}: expected letters, digits and _ (and neither init nor deadlock)")
    prism, what = dialect == "prism", f"{'PRISM' if dialect == 'prism' else 'Storm'}'s explicit format"
    out = written(mdp, "write_prism", what, end_label, drop, exact=prism)
    names = action_names(mdp, what, lambda x: NAME.fullmatch(x) is not None) if prism and mdp.action_labels else None
    if not prism and (bad := next(((s, a) for s, c in out.rows for a, r, _ in c if r < 0), None)) is not None:
        check.fail(f"{what} has no negative rewards, and {check.place('R', bad)} is one")
    tra, trew = [], []
    some = prism or any(r for _, choices in out.rows for _, r, _ in choices)  # Storm reads no file of nothing
    for s, choices in out.rows:
        for c, (a, r, row) in enumerate(choices):
            if a != c and not prism:
                check.fail(
                    f"{what} has no names of actions: state {s} has action {a} and not action {c}, which it cannot say"
                )
            name = f" {names[a]}" if names is not None else f" a{a}" if prism else ""
            tra += [f"{s} {c} {t} {said(p)}{name}" for t, p in row.items()]
            trew += [f"{s} {c} {t} {said(r)}" for t in row if r or not some]
    lab = [
        (s, k)
        for s in range(out.S)
        for k in (0, 2)
        if (k == 0 and s == out.initial) or (k == 2 and out.ended and s == out.S - 1)
    ]
    if prism:
        last = [f'2="{end_label}"'] if out.ended else []
        labels = [" ".join(['0="init" 1="deadlock"', *last]), *(f"{s}: {k}" for s, k in lab)]
        tra.insert(0, f"{out.S} {out.pairs} {len(tra)}")
        trew.insert(0, f"{out.S} {out.pairs} {len(trew)}")
    else:
        known = {0: "init", 2: end_label}
        declared = " ".join(["init", *([str(end_label)] if out.ended else [])])
        labels = ["#DECLARATION", declared, "#END", *(f"{s} {known[k]}" for s, k in lab)]
        tra.insert(0, "mdp")
    files = {".tra": tra, ".lab": labels, ".trew": trew}
    if prism:
        files[".sta"] = ["(s)", *(f"{s}:({s})" for s in range(out.S))]
    paths = []
    for ending, lines in files.items():
        paths.append(Path(f"{os.fspath(stem)}{ending}"))
        write_bytes(paths[-1], ("\n".join(lines) + "\n").encode("ascii"))
    return paths


def read_prism(
    tra: str | os.PathLike[str],
    gamma: Any,
    *,
    lab: str | os.PathLike[str] | None = None,
    srew: str | os.PathLike[str] | None = None,
    trew: str | os.PathLike[str] | None = None,
    sta: str | os.PathLike[str] | None = None,
    dialect: str | None = None,
    end_label: str | None = None,
    rho: Any = None,
    exact: bool | None = None,
    sparse: bool | None = None,
    renormalise: bool = False,
    action_labels: Sequence[str] | None = None,
    max_bytes: int = LARGEST_FILE,
) -> MDP:
    """Read an MDP from its ``.tra`` file and those beside it.

    Parameters
    ----------
    gamma : discount in [0, 1], which the files do not have.
    lab : labels, of which ``init`` and ``end_label`` are used.  srew, trew : rewards of states and of transitions; their sum.
    sta : states, whose number is compared.  dialect : ``"prism"`` or ``"storm"``; None: by the first line of ``tra``.
    exact : read fractions and decimals as they stand; None: where a number of ``tra`` or the rewards is a fraction.
    Others as in ``read_drn``.

    A name in ``tra`` is that of an action; names ``a0 ... `` of ``write_prism`` are numbers. Rewards of transitions
    that differ within a choice are averaged over it in Storm's dialect, as Storm does, and refused in PRISM's, as
    PRISM does. Raises FormatError with file, line and column; ModelError for numbers that are no model.
    """
    source = Source(tra, max_bytes)
    first = next(lines_of(source), None)
    if first is None:
        source.fail(0, 0, "the file is empty")
    found = "storm" if first[1][0][0].isalpha() else "prism"
    if dialect is not None and _dialect(dialect) != found:
        source.fail(first[0], 1, f"this is the dialect of {found}, not of {dialect}")
    reader = Reader(source, found)
    reader.transitions()
    if sta is not None:
        reader.check_states(Source(sta, max_bytes))
    if srew is not None:
        reader.state_rewards(Source(srew, max_bytes))
    if trew is not None:
        reader.transition_rewards(Source(trew, max_bytes))
    initial: list[int] = []
    ends: set[int] = set()
    if lab is not None:
        initial, ends = reader.labels(Source(lab, max_bytes), end_label)
    given = reader.explicit(initial, ends)
    rational = reader.fractions if exact is None else exact
    return to_mdp(given, Options(gamma, rho, rational, sparse, renormalise, action_labels, 8 * max_bytes))


def _dialect(dialect: str) -> str:
    if dialect not in DIALECTS:
        raise ValueError(f"dialect is {dialect!r}: expected {' or '.join(DIALECTS)}")
    return dialect
