"""How often verdicts are wrong, and how often they come: simulated statements of every kind, true, false and at the edge.

``make calibration`` prints the table and writes it to ``docs/calibration.md``; the same numbers for the same seed. Statements at
the edge (a rate of exactly delta, a mean difference of exactly 0) are the hardest nulls of both verdicts at once:
``refuted`` would be false, and ``holds`` no more than chance. The statements are those of ``calibration_rows``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from proofs_check.calibration_rows import (
    Row,
    comparisons,
    exact,
    ordered,
    sampled_orders,
    sampled_scalings,
    scalings,
    trials,
)

NULLS = 10_000
SIZES = (200, 2000, 20000)


def rows(nulls: int = NULLS, sizes: Sequence[int] = SIZES, seed: int = 0) -> Iterator[Row]:
    """All scenarios."""
    yield from trials(nulls, sizes, seed)
    yield from comparisons(nulls, sizes, seed)
    yield from scalings(nulls, seed)
    yield from sampled_scalings(nulls, sizes, seed)
    yield from ordered(nulls, seed)
    yield from sampled_orders(nulls, sizes, seed)
    yield from exact(nulls, seed)


def markdown(found: Sequence[Row]) -> str:
    """The table, with the upper limits of wrong verdicts."""
    lines = [
        "| kind | statement | size | truth | refuted | holds | wrong, at most |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in found:
        worst = max((r.limit(int(n)) for n in r.errors.values()), default=0.0)
        cells = (
            r.kind,
            r.statement,
            r.size,
            r.truth,
            _share(r.refuted, r.runs),
            _share(r.held, r.runs),
            f"{worst:.1e}",
        )
        lines.append("| " + " | ".join(cells).replace("|D|", "abs D") + " |")
    return "\n".join(lines)


def _share(n: int, runs: int) -> str:
    return "0" if n == 0 else "all" if n == runs else f"{n / runs:.4f}"


HEAD = """# How often verdicts are wrong, and how often they come

`make calibration` simulates {nulls:,} statements of each kind and writes this file. A statement *at the edge* (a rate
of exactly delta, a mean difference of exactly zero, an exponent on the border of the stated interval, which is
[-0.55, -0.45] below) is the hardest null of both verdicts: `refuted` would be false, `holds` no more than chance. By
Ville's inequality the former has probability at most 10^-6, the latter at most 1/20, whatever the sample size and
however often one looks. The last column is an upper limit (exact binomial, 19/20) of the larger rate of wrong verdicts;
{nulls:,} runs cannot show less than {least:.1e}. "refuted" of false statements and "holds" of true ones are power.

`Scaling` and `Order` of exact values are not statistical: their rows show how often a finite range misleads about what
happens at infinity, which is not what their verdicts say (`proofs_check/statistics/slopes.py` and `orders.py`). The
slowly falling terms are there to mislead.

"""


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m proofs_check.calibration [--nulls N] [--seed N] [--out FILE]``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--nulls", type=int, default=NULLS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    options = parser.parse_args(argv)
    start, found = time.perf_counter(), []
    for row in rows(options.nulls, seed=options.seed):
        found.append(row)
        print(f"{time.perf_counter() - start:6.1f} s  {row.kind}: {row.statement} {row.size}", file=sys.stderr)
    table = markdown(found)
    print(table)
    if options.out is not None:
        least = Row("", "", "", "", 0, 0, options.nulls).limit(0)
        options.out.write_text(HEAD.format(nulls=options.nulls, least=least) + table + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
