"""``proofs-check``: list, verify, attack, show, cite, report, mutants.

Exit codes are listed in ``EXITS``. Tables and JSON go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tabular import __version__

OK, REFUTED, UNDECIDED, USAGE, INTERRUPTED = 0, 1, 2, 3, 130
EXITS = """exit codes:
  0    nothing refuted that is not recorded so, and all teeth in
  1    refuted; or a mutant or twin survives, two arithmetics exclude each other, or a body raises
  2    undecided, vacuous and not recorded so, or not the recorded verdict
  3    usage, or a store or process that fails
  130  interrupted

docs/verdicts.md says what the words mean.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _positive(text: str) -> int:
    n = int(text)
    if n < 1:
        raise argparse.ArgumentTypeError(f"{n}: expected at least 1")
    return n


def _seed(text: str) -> int:
    n = int(text)
    if n < 0:
        raise argparse.ArgumentTypeError(f"{n}: expected at least 0")
    return n


def _shard(text: str) -> tuple[int, int]:
    i, _, n = text.partition("/")
    if not (i.isdecimal() and n.isdecimal() and 1 <= int(i) <= int(n)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected I/N with 1 <= I <= N, e.g. 2/3")
    return int(i), int(n)


def _kept(command: argparse.ArgumentParser) -> None:
    """Where results are kept."""
    kept = command.add_mutually_exclusive_group()
    kept.add_argument(
        "--store", type=Path, metavar="DIR", help="keep results here, and take them from here (.proofs-check)"
    )
    kept.add_argument("--no-store", action="store_true", help="keep nothing, compute everything")


def _cluster(command: argparse.ArgumentParser) -> None:
    """Where it is computed."""
    command.add_argument(
        "--cluster", metavar="ADDRESS",
        help="compute on the workers of the Dask scheduler at this address, e.g. tcp://host:8786, instead of --workers here "
        "(docs/cluster.md); verdicts and bits are the same",
    )  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = _Parser(
        prog="proofs-check",
        description="Check theorems on families of MDPs, in arithmetic that does not round them away.",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    listing = commands.add_parser(
        "list", help="papers and their claims, with state and recorded verdict; imports no claim"
    )
    listing.add_argument("papers", nargs="*", metavar="PAPER", help="show the claims of these papers")
    listing.add_argument(
        "--markdown",
        action="store_true",
        help="as a Markdown table: what is covered, or the claims of the named papers",
    )

    verify = commands.add_parser(
        "verify",
        help="check claims: all of them, or those of papers, ids or files",
        epilog=EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verify.add_argument("names", nargs="*", metavar="PAPER|CLAIM|FILE|FILE::CLAIM")
    size = verify.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", dest="budget", action="store_const", const="quick", help="200 instances for each claim"
    )
    size.add_argument(
        "--thorough", dest="budget", action="store_const", const="thorough", help="20,000 instead of 2,000"
    )
    verify.add_argument("--workers", type=_positive, default=2, help="processes (2); verdicts do not depend on them")
    verify.add_argument("--seed", type=_seed, default=0, help="root seed of the instances (0)")
    verify.add_argument("--json", action="store_true", help="print JSON instead of the table")
    verify.add_argument("--out", type=Path, metavar="DIR", help="write results and counterexamples here")
    verify.add_argument(
        "--no-mutants", dest="mutants", action="store_false",
        help="leave the mutants out, which claims of papers meet; twins still run",
    )  # fmt: skip
    verify.add_argument(
        "--record", type=Path, metavar="DIR",
        help="write the verdicts of this run into the registry's files in DIR "
        "(proofs_check/papers, once each change is understood)",
    )  # fmt: skip
    _kept(verify)
    verify.add_argument(
        "--resume", dest="fresh", action="store_false",
        help="go on where an interrupted run stopped: the default, for whatever neither claim, engine nor library changed",
    )  # fmt: skip
    verify.add_argument(
        "--fresh", action="store_true",
        help="compute everything again, and compare with what the store has",
    )  # fmt: skip
    verify.add_argument(
        "--shard", type=_shard, metavar="I/N",
        help="compute part I of N into the store, without verdicts: see merge",
    )  # fmt: skip
    _cluster(verify)
    verify.set_defaults(budget="default", fresh=False)

    merge = commands.add_parser("merge", help="put the results of shards, or any stores, into one, or prune it")
    merge.add_argument("stores", nargs="*", type=Path, metavar="STORE")
    merge.add_argument("--into", type=Path, metavar="DIR", default=Path(".proofs-check"), help="(.proofs-check)")

    merge.add_argument(
        "--prune", action="store_true",
        help="then remove what no run would use again: results of the engine, or of a paper's claim, as they were before",
    )  # fmt: skip

    export = commands.add_parser("export", help="write the results of a store as a table for other programs")
    export.add_argument("file", type=Path, metavar="FILE.parquet")
    export.add_argument("--store", type=Path, metavar="DIR", default=Path(".proofs-check"), help="(.proofs-check)")

    costs = commands.add_parser("costs", help="seconds and instances of each claim by phase, as the store has them")
    costs.add_argument("--store", type=Path, metavar="DIR", default=Path(".proofs-check"), help="(.proofs-check)")
    costs.add_argument("--json", action="store_true")

    attack = commands.add_parser("attack", help="search for the worst instance of claims, and how near it comes")
    attack.add_argument("names", nargs="*", metavar="PAPER|CLAIM|FILE|FILE::CLAIM")
    attack.add_argument("--all", action="store_true", help="every claim that is checked: the table of κ")
    attack.add_argument(
        "--evaluations", type=_positive, default=60_000, help="instances tried in the search for each claim (60,000)"
    )
    attack.add_argument("--seed", type=_seed, default=0)
    attack.add_argument("--workers", type=_positive, default=2, help="processes (2); results do not depend on them")
    _cluster(attack)
    attack.add_argument("--json", action="store_true")
    attack.add_argument(
        "--table", type=Path, metavar="FILE", help="also write the table of κ to this file, in Markdown"
    )
    attack.add_argument(
        "--out", type=Path, default=Path("counterexamples"), metavar="DIR",
        help="where a counterexample is saved, if one is found (counterexamples)",
    )  # fmt: skip

    show = commands.add_parser(
        "show", help="one claim: statement, evidence, tightest instance, counterexample, how to rerun it"
    )
    show.add_argument("claim", metavar="CLAIM|FILE::CLAIM")
    show.add_argument("--file", help="where the claim is defined, if in no paper")
    show.add_argument("--seed", type=_seed, default=0)
    which = show.add_mutually_exclusive_group()
    which.add_argument("--instance", metavar="ADDRESS", help="show this instance instead of the tightest")
    which.add_argument("--replay", type=Path, metavar="JSON", help="evaluate a saved counterexample again, exactly")

    cite = commands.add_parser("cite", help="BibTeX of a paper")
    cite.add_argument("paper", metavar="PAPER")

    report = commands.add_parser("report", help="a site of what a store knows, to read without a server; runs nothing")
    report.add_argument("names", nargs="*", metavar="PAPER|FILE", help="all papers of the registry if none")
    report.add_argument("--out", type=Path, default=Path("report"), metavar="DIR", help="where the pages go (report)")
    report.add_argument(
        "--store", type=Path, metavar="DIR", help="results to show (.proofs-check; without one, claims are not yet run)"
    )
    report.add_argument(
        "--attacks", type=Path, metavar="JSON", help="what attack --json printed: its κ and extremal instances join"
    )
    report.add_argument(
        "--results", type=Path, metavar="DIR", help="what verify --out wrote: its counterexamples, made smaller, join"
    )

    register = commands.add_parser(
        "register", help="bring a paper's registry file up to date with the code of its claims"
    )
    register.add_argument("paper", metavar="PAPER")
    register.add_argument(
        "--papers",
        type=Path,
        metavar="DIR",
        default=Path("proofs_check/papers"),
        help="folder of the registry",
    )

    mutants = commands.add_parser("mutants", help="plant every mutant and see that a claim kills it")
    mutants.add_argument("names", nargs="*", metavar="PAPER|CLAIM|FILE", help="all claims, kernels and repeats if none")
    mutants.add_argument("--workers", type=_positive, default=2)
    mutants.add_argument("--json", action="store_true")
    _kept(mutants)
    mutants.add_argument("--fresh", action="store_true", help="plant all of them again, whatever the store has")
    mutants.set_defaults(shard=None)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    from proofs_check.selection import UsageError

    try:
        options = parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return _run(options)
    except UsageError as error:
        print(f"proofs-check: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt as stop:
        print("proofs-check: interrupted" + "".join(f"; {said}" for said in stop.args), file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        from proofs_check.cluster import ClusterError
        from proofs_check.parts import StoreError
        from proofs_check.processes import WorkerDied

        if not isinstance(error, (ClusterError, StoreError, WorkerDied)):
            raise
        print(f"proofs-check: {error}", file=sys.stderr)
        return USAGE


def _run(options: argparse.Namespace) -> int:
    if options.command == "cite":
        from proofs_check.selection import paper

        print(paper(options.paper).bibtex.strip())
        return OK
    if options.command == "list":
        from proofs_check.tables import listing, markdown

        if options.markdown:
            print(markdown(options.papers))
        else:
            listing(options.papers)
        return OK
    if options.command == "attack":
        from proofs_check.adversary.command import run

        return run(options)
    if options.command in ("merge", "export", "costs"):
        from proofs_check import storing

        return int(getattr(storing, options.command)(options))
    if options.command == "report":
        from proofs_check.report.command import report

        return report(options)
    if options.command == "show":
        from proofs_check.showing import show

        return show(options)
    from proofs_check import commands

    return int(getattr(commands, options.command)(options))


if __name__ == "__main__":
    sys.exit(main())
