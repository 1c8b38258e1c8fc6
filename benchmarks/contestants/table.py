"""Methods and refusals of every contestant, by module: read without any of their libraries."""

from __future__ import annotations

from benchmarks.contestants import (
    bettermdptools,
    jaxdp,
    mdpax,
    mdpsolver,
    msdm,
    ours,
    pymdptoolbox,
    quantecon,
    rlberry_scool,
    stormpy,
)

_ALL = (ours, quantecon, mdpsolver, pymdptoolbox, stormpy, msdm, jaxdp, mdpax, rlberry_scool, bettermdptools)
METHODS: dict[str, dict[str, str]] = {m.__name__.rpartition(".")[2]: m.METHODS for m in _ALL}
REFUSALS: dict[str, dict[str, str]] = {m.__name__.rpartition(".")[2]: m.REFUSALS for m in _ALL}
