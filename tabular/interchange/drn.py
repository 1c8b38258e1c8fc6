"""Storm's DRN format (direct encoding): ``write_drn(path, mdp)`` and ``read_drn(path, gamma)``.

A file lists states in order, each with its labels and its choices, each with its reward and its successors. It has no discount, no
endings and no start distribution; numbers are floats or rationals, by ``@value_type``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from typing import Any

from tabular.interchange._drn_reader import NAMELESS, Reader
from tabular.interchange._explicit import Options, action_names, to_mdp, written
from tabular.interchange._text import LARGEST_FILE, Source, said, write_bytes
from tabular.mdp import MDP

WHAT = "the DRN format"
NAME = re.compile(r"[A-Za-z0-9_.\-]+", re.ASCII)


def write_drn(
    path: str | os.PathLike[str],
    mdp: MDP,
    *,
    end_label: str | None = None,
    drop: Collection[str] = (),
    reward: str = "r",
) -> None:
    """Write a model; an existing file is replaced at once or left as it was.

    Parameters
    ----------
    end_label : the label of the state that the end is written as, last; needed where steps may end.
    drop : what may be left out: ``"discount"``, ``"start"``, ``"exact"``.
    reward : name of the reward model, of rewards of choices.

    An exact model is written in rationals, and comes back equal; one of floats by their shortest digits. State labels are not
    written. Raises ModelError for what the format cannot say, FormatError for numbers of more than 4300 digits.
    """
    for name, what in ((reward, "reward"), (end_label, "end_label")):
        if name is not None and (not NAME.fullmatch(name) or name == "init"):
            raise ValueError(f"{what} is {name!r}: expected letters, digits and _-. (and not init)")
    out = written(mdp, "write_drn", WHAT, end_label, drop)
    names = action_names(mdp, WHAT, lambda x: NAME.fullmatch(x) is not None and x != NAMELESS)
    lines = [
        "@type: MDP",
        f"@value_type: {'rational' if out.exact else 'double'}",
        "@parameters",
        "",
        "@reward_models",
        reward,
    ]
    lines += ["@nr_states", str(out.S), "@nr_choices", str(out.pairs), "@model"]
    for s, choices in out.rows:
        labels = [" init"] * (s == out.initial) + [f" {end_label}"] * (out.ended and s == out.S - 1)
        lines.append(f"state {s}{''.join(labels)}")
        for a, r, row in choices:
            lines.append(f"\taction {names[a]} [{said(r)}]")
            lines += [f"\t\t{t} : {said(p)}" for t, p in row.items()]
    write_bytes(path, ("\n".join(lines) + "\n").encode("utf-8"))


def read_drn(
    path: str | os.PathLike[str],
    gamma: Any,
    *,
    reward: str | None = None,
    end_label: str | None = None,
    rho: Any = None,
    exact: bool | None = None,
    sparse: bool | None = None,
    renormalise: bool = False,
    action_labels: Sequence[str] | None = None,
    max_bytes: int = LARGEST_FILE,
) -> MDP:
    """Read an MDP (or a DTMC, whose one choice is the action).

    Parameters
    ----------
    gamma : discount in [0, 1], which the file does not have.
    reward : the reward model to take; None: the only one, or no rewards. Rewards of states and of choices are added.
    end_label : states with this label are taken away, and what leads to them ends the process.
    rho : start distribution; None: the state labelled ``init``, where it is one.
    exact : read rationals and decimals as they stand; None: where ``@value_type`` is ``rational``.
    sparse, renormalise : as elsewhere.  action_labels : the order of the actions; None: see ``columns``.
    max_bytes : limit on the file, and eight times that on the model.

    Labels other than ``init`` and ``end_label`` are not kept. Raises FormatError with file, line and column for what is no such
    file, ModelError for numbers that are no model; OSError from the file system. Time and memory are linear in the file.
    """
    source = Source(path, max_bytes)
    reader = Reader(source, reward, end_label)
    given = reader.read()
    options = Options(
        gamma, rho, reader.rational if exact is None else exact, sparse, renormalise, action_labels, 8 * max_bytes,
    )  # fmt: skip
    return to_mdp(given, options)
