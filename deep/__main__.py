"""``python -m deep``: train agents beside their exact solvers, list what there is, and measure speed.

python -m deep train mdqn --env DeepSea --seeds 32
python -m deep list
python -m deep speed
python -m deep table NAME --out FILE.csv
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

OK, USAGE, INTERRUPTED = 0, 3, 130
EXTRA = ("jax", "jaxlib", "optax", "equinox", "gymnax")
INTEGERS = ("seeds", "seed", "steps", "evaluations", "width", "depth", "envs", "buffer", "batch", "updates", "warmup")


class Parser(argparse.ArgumentParser):
    """Usage errors exit with 3."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"deep: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; 0, or 3 where what was asked for makes no sense (said in a line, before any work), 130 if interrupted."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        print(f"deep: {error.name} is not installed: pip install 'tabular-proofs[deep]'", file=sys.stderr)
        return USAGE
    except (ValueError, TypeError, OSError) as error:
        print(f"deep: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        kept = getattr(options, "out", None) if options.run is _train else None
        print(f"deep: interrupted{f'; the same command goes on from {kept}' if kept else ''}", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m deep", description=str(__doc__).partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train an agent, with the exact solver beside it where there is a model")
    train.set_defaults(run=_train)
    train.add_argument("agent", help="its name; `list` knows them")
    train.add_argument(
        "--env", required=True, help="DeepSea, FourRooms, FrozenLake, Pendulum-grid, or a name of gymnax"
    )
    for name in INTEGERS:
        train.add_argument(f"--{name}", type=int, help=argparse.SUPPRESS if name not in INTEGERS[:4] else None)
    train.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a number of the agent")
    train.add_argument(
        "--grid", action="append", default=[], metavar="NAME=N1,N2,...", help="a number with several values"
    )
    train.add_argument(
        "--field",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the agent, compiled in: q, heads, loss, ...",
    )
    train.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the environment")
    train.add_argument(
        "--out", type=Path, metavar="DIR", help="where metrics and state are kept; goes on with what is there"
    )
    train.add_argument("--no-oracle", action="store_true", help="do not ask the exact solver")
    train.add_argument("--quiet", action="store_true", help="no lines of progress")
    listing = commands.add_parser("list", help="agents with their numbers, and environments")
    listing.set_defaults(run=_list)
    speed = commands.add_parser("speed", help="steps and updates a second beside two baselines")
    speed.set_defaults(run=_speed)
    speed.add_argument("--seeds", type=int, default=4)
    speed.add_argument("--steps", type=int, default=20_000, help="of the environments, by learner")
    table = commands.add_parser("table", help="compute a table for a figure")
    table.set_defaults(run=_table)
    table.add_argument("name")
    table.add_argument("--out", type=Path, required=True)
    table.add_argument("--quick", action="store_true", help="small: seconds, and no result")
    return parser


def _train(options: argparse.Namespace) -> int:
    from deep.experiments.config import Experiment
    from deep.experiments.run import run, show

    given: dict[str, Any] = {name: getattr(options, name) for name in INTEGERS if getattr(options, name) is not None}
    given["numbers"] = {k: _number(k, v) for k, v in _pairs("--set", options.set)}
    given["grid"] = {k: tuple(_number(k, x) for x in v.split(",")) for k, v in _pairs("--grid", options.grid)}
    given["fields"] = {k: _value(v) for k, v in _pairs("--field", options.field)}
    given["options"] = {k: _value(v) for k, v in _pairs("--option", options.option)}
    assert set(given) <= {f.name for f in fields(Experiment)}
    experiment = Experiment(options.agent, options.env, oracle=not options.no_oracle, **given)
    result = run(experiment, options.out, tell=None if options.quiet else show)
    last = result.columns["step"] == result.columns["step"][-1]
    means = {k: float(v[last].mean()) for k, v in result.columns.items() if k != "seed"}
    plain = {k: v if math.isfinite(v) else None for k, v in means.items()}
    print(json.dumps(plain | {"learners": int(last.sum())}))
    return OK


def _list(options: argparse.Namespace) -> int:
    from deep import envs
    from deep.agents import AGENTS

    for name, agent in AGENTS.items():
        print(f"{name:<18}", ", ".join(f"{k}={v:g}" for k, v in agent.defaults().items()))
    print("\nwith an oracle:", ", ".join(envs.TABULAR))
    print("of gymnax:     ", ", ".join(n for n in envs.names() if n not in envs.TABULAR))
    return OK


def _speed(options: argparse.Namespace) -> int:
    from deep.experiments.speed import compare

    for row in compare(options.seeds, options.steps):
        print(json.dumps(row))
    return OK


def _table(options: argparse.Namespace) -> int:
    from deep.experiments.studies import STUDIES, study, write

    rows = study(options.name, quick=options.quick)
    write(options.out, rows)
    print(
        f"{options.out}: {len(rows)} rows of {options.name} ({', '.join(sorted(STUDIES))} are known)", file=sys.stderr
    )
    return OK


def _pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """NAME=VALUE of each text. ValueError for others, and for a name that comes twice."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise ValueError(f"{option} {text!r}: expected NAME=VALUE")
        if name in pairs:
            raise ValueError(f"{option} has {name} twice: {pairs[name]} and {value}")
        pairs[name] = value
    return list(pairs.items())


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}: expected a number") from None


def _value(text: str) -> Any:
    """An integer, a number, or text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


if __name__ == "__main__":
    sys.exit(main())
