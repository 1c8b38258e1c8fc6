"""``proofs-check``: list, verify, show, cite, mutants.

Exit codes: 0 nothing refuted unexpectedly and all teeth in; 1 refuted, or a mutant or twin survives, or two
arithmetics exclude each other; 2 undecided, vacuous, or not the recorded verdict; 3 usage; 130 interrupted. Tables
and JSON go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

OK, REFUTED, UNDECIDED, USAGE, INTERRUPTED = 0, 1, 2, 3, 130


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


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = _Parser(
        prog="proofs-check",
        description="Check theorems on families of MDPs, in arithmetic that does not round them away.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    listing = commands.add_parser(
        "list", help="papers and their claims, with state and recorded verdict; imports no claim"
    )
    listing.add_argument("papers", nargs="*", metavar="PAPER", help="show the claims of these papers")
    listing.add_argument("--markdown", action="store_true", help="print the checked claims as the README's table")

    verify = commands.add_parser("verify", help="check claims: all of them, or those of papers, ids or files")
    verify.add_argument("names", nargs="*", metavar="PAPER|CLAIM|FILE")
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
        "--no-mutants", dest="mutants", action="store_false", help="leave the mutants out; twins still run"
    )
    verify.add_argument(
        "--record", type=Path, metavar="DIR",
        help="write the verdicts of this run into the registry's files in DIR "
        "(proofs_check/papers, once each change is understood)",
    )  # fmt: skip
    verify.set_defaults(budget="default")

    show = commands.add_parser(
        "show", help="one claim: statement, evidence, tightest instance, counterexample, how to rerun it"
    )
    show.add_argument("claim", metavar="CLAIM")
    show.add_argument("--file", help="where the claim is defined, if in no paper")
    show.add_argument("--seed", type=_seed, default=0)
    show.add_argument("--instance", metavar="ADDRESS", help="show this instance instead of the tightest")
    show.add_argument("--replay", type=Path, metavar="JSON", help="evaluate a saved counterexample again, exactly")

    cite = commands.add_parser("cite", help="BibTeX of a paper")
    cite.add_argument("paper", metavar="PAPER")

    mutants = commands.add_parser("mutants", help="plant every mutant and see that a claim kills it")
    mutants.add_argument("--workers", type=_positive, default=2)
    mutants.add_argument("--json", action="store_true")
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
    except KeyboardInterrupt:
        print("proofs-check: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    if options.command == "cite":
        from proofs_check.selection import paper

        print(paper(options.paper).bibtex.strip())
        return OK
    if options.command == "list":
        from proofs_check.tables import listing, markdown

        if options.markdown:
            print(markdown())
        else:
            listing(options.papers)
        return OK
    from proofs_check import commands

    return int(getattr(commands, options.command)(options))


if __name__ == "__main__":
    sys.exit(main())
