"""Runs an experiment: chunks of one compiled program, between them the oracle, the table of metrics and a checkpoint.

A folder holds ``config.json``, ``metrics.csv`` (one row for each learner and evaluation; floats so that they are read back
exactly) and ``state.npz``. A run that was interrupted goes on from its last evaluation, and ends with the same bytes in
all three as one that was not. Wall times are shown, and kept out of the files.
"""

from __future__ import annotations

import csv
import io
import os
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from deep import envs
from deep.experiments.config import Experiment
from deep.oracle import Oracle
from deep.train import checkpoint, epochs, trainer

TRAINING = ("step", "seed", "episodes", "train_return", "train_length", "updates")


class Result(NamedTuple):
    """``columns``: name -> (rows,) array, learners within evaluations; ``learners``: the state; ``seconds`` of this call."""

    columns: dict[str, np.ndarray]
    learners: Any
    seconds: float


def show(message: str) -> None:
    """A line of progress, to the error stream."""
    print(message, file=sys.stderr, flush=True)


def run(
    experiment: Experiment,
    folder: str | Path | None = None,
    *,
    stop_after: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> Result:
    """Runs, or goes on with, an experiment.

    ``folder``: where its files are, None for none. ``stop_after``: evaluations after which to stop, as an interruption would.
    ``tell``: takes lines of progress. ValueError where the folder holds another experiment, or the environment has no actions of
    the agent's kind.
    """
    began = time.perf_counter()
    e, agent, shape = experiment, experiment.make(), experiment.shape()
    made = envs.make(e.env, **e.options)
    _fits(agent, made.env)
    oracle = Oracle(made.mdp) if e.oracle and made.mdp is not None else None
    settings = e.settings()
    if made.mdp is not None:  # the model's discount, unless one was asked for
        asked = "gamma" in e.numbers or "gamma" in e.grid
        settings = settings if asked else [s | {"gamma": made.mdp.gamma} for s in settings]
    every = [(s, seed) for s in settings for seed in range(e.seed, e.seed + e.seeds)]
    hyper = {k: jnp.asarray([s[k] for s, _ in every], float) for k in settings[0]}
    keys = jnp.stack([jax.random.PRNGKey(seed) for _, seed in every])
    train: Any = epochs if hasattr(agent, "horizon") else trainer
    learners = train.start(made.env, agent, shape, made.params, keys, hyper)
    done = 0
    rows: list[dict[str, Any]] = []
    if folder is not None:
        learners, done, rows = _resumed(Path(folder), e, learners)
        if done and tell:
            tell(f"going on after evaluation {done} of {e.evaluations}")
    chunk = e.steps // (e.envs * e.evaluations)
    names: list[str] = []
    while done < e.evaluations and (stop_after is None or done < stop_after):
        learners, progress = train.advance(
            made.env, agent, shape, chunk, made.params, learners, hyper, jnp.asarray(done * chunk)
        )
        done += 1
        new = _rows(e, every, progress, done * chunk * e.envs)
        if oracle is not None:
            views = jax.tree.map(np.asarray, _views(agent, learners.agent, hyper, made.params.matrix))
            for i, row in enumerate(new):
                pi, Q, tau = (x[i] for x in views)
                row |= oracle.report(agent, every[i][0], pi, Q, float(tau))
        rows += new
        names = list(rows[0])
        if folder is not None:
            _write(Path(folder) / "metrics.csv", _csv(names, rows))
            checkpoint.save(Path(folder) / "state.npz", learners, done=done)
        if tell:
            tell(_line(e, new, done, time.perf_counter() - began))
    columns = {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else names)}
    return Result(columns, learners, time.perf_counter() - began)


@partial(jax.jit, static_argnames="agent")
def _views(agent: Any, states: Any, hyper: Any, X: Any) -> Any:
    return jax.vmap(lambda state, h: agent.view(state, h, X))(states, hyper)


def _fits(agent: Any, env: Any) -> None:
    continuous = not hasattr(agent, "view")
    if continuous != bool(env.spec.dim):
        kind = "boxes of" if continuous else "finitely many"
        raise ValueError(f"{agent.name} is for {kind} actions, and {env.name} has others")


def _rows(e: Experiment, every: list[Any], p: trainer.Progress, step: int) -> list[dict[str, Any]]:
    out = []
    host = jax.tree.map(np.asarray, p)
    with np.errstate(invalid="ignore"):
        for i, (setting, seed) in enumerate(every):
            n, updates = host.episodes[i], host.updates[i]
            row = {"step": step, "seed": seed} | {k: setting[k] for k in e.grid} | {"episodes": int(n)}
            row |= {"train_return": float(host.returns[i] / n), "train_length": float(host.lengths[i] / n)}
            row |= {"updates": int(updates)} | {k: float(v[i] / updates) for k, v in host.metrics.items()}
            out.append(row)
    return out


def _line(e: Experiment, rows: list[dict[str, Any]], done: int, seconds: float) -> str:
    shown = ["train_return", *(m for m in ("suboptimality", "soft_gap", "residual", "entropy") if m in rows[0])]
    gone = sum(bool(np.isnan(row.get("return", 0.0))) for row in rows)
    means = ", ".join(
        f"{name} {np.nanmean([r[name] for r in rows] or [np.nan]):.4g}"
        for name in shown
        if not all(np.isnan(r[name]) for r in rows)
    )
    lost = f"; {gone} of {len(rows)} learners diverged" if gone else ""
    return f"{e.agent} on {e.env}: {done}/{e.evaluations}, step {rows[0]['step']}, {seconds:.1f} s: {means}{lost}"


def _csv(names: list[str], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(names)
    out.writerows([[row[name] for name in names] for row in rows])
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a ``metrics.csv``, numbers as they were written."""
    with open(path, newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    rows = []
    for i, row in enumerate(table[1:], 2):
        try:
            numbers = [int(v) if v.lstrip("-").isdigit() else float(v) for v in row]
            rows.append(dict(zip(table[0], numbers, strict=True)))
        except ValueError:
            raise ValueError(f"{path}, line {i}: expected {len(table[0])} numbers") from None
    return rows


def _resumed(folder: Path, e: Experiment, fresh: Any) -> tuple[Any, int, list[dict[str, Any]]]:
    """State, evaluations done and rows of the folder; a fresh start where there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    config, state, metrics = folder / "config.json", folder / "state.npz", folder / "metrics.csv"
    if config.exists():
        _same(config, e)
    elif state.exists():
        raise ValueError(f"{folder} has a state.npz and no config.json: whose state it is cannot be told")
    _write(config, e.to_json())
    if not state.exists():
        return fresh, 0, []
    learners, facts = checkpoint.load(state, fresh)
    done = facts.get("done")
    if not isinstance(done, int) or not 0 < done <= e.evaluations:
        raise ValueError(f"{state} says that {done} of {e.evaluations} evaluations are done")
    if not metrics.exists():
        raise ValueError(f"{folder} has a state.npz and no metrics.csv: the rows of {done} evaluations are lost")
    limit = done * e.steps // e.evaluations
    rows = [row for row in read_metrics(metrics) if row["step"] <= limit]
    learned = len(e.settings()) * e.seeds * done
    if len(rows) != learned:
        raise ValueError(f"{metrics} has {len(rows)} rows until step {limit}: expected {learned}")
    return learners, done, rows


def _same(config: Path, e: Experiment) -> None:
    """ValueError naming what differs where the file holds another experiment, or none."""
    try:
        held = Experiment.from_json(config.read_text(encoding="utf-8"))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{config} holds {error}") from None
    if held != e:
        differs = [f.name for f in fields(e) if getattr(held, f.name) != getattr(e, f.name)]
        said = ", ".join(f"{name} {getattr(held, name)!r}, not {getattr(e, name)!r}" for name in differs)
        raise ValueError(f"{config.parent} holds another experiment: {said}")
