"""The workloads: what is solved, at which size and seed, by whom.

Every number is drawn through ``tabular.instances``, so that the data are the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.data import Task
from tabular import FiniteHorizonMDP
from tabular.instances import garnet, garnet_sparse
from tabular.instances.family import Tape

TOLERANCE = 1e-6
"""Sup-norm error of ``V`` that everyone is asked for, in units of reward."""
TAUS = (0.01, 0.1, 1.0, 10.0)


class Entry(NamedTuple):
    """One row of a table: a contestant's module and what it is told."""

    label: str
    module: str
    options: Mapping[str, Any] = {}


class Workload(NamedTuple):
    """``make(**sizes)`` draws the task; the first entry is what the others are compared with.

    ``limit``: seconds for one run of a contestant; ``pending``: why it is not in the default run, or "".
    """

    title: str
    make: Callable[..., Task]
    full: dict[str, Any]
    quick: dict[str, Any]
    entries: tuple[Entry, ...]
    limit: float = 60.0
    rounds: int = 7
    pending: str = ""


def dense(S: int, A: int, gamma: float, seed: int) -> Task:
    """A Garnet in which every pair may reach every state: probabilities are multiples of 2**-20."""
    one = garnet(S, A, gamma=gamma, resolution=2**20)(seed, 1)
    return _task("dense", {"P": one.P[0], "R": one.rewards[0]}, S=S, A=A, gamma=gamma, seed=seed)


def sparse(S: int, A: int, successors: int, gamma: float, seed: int) -> Task:
    """A Garnet as CSR."""
    mdp = garnet_sparse(seed, S, A, successors, gamma=gamma)
    P = mdp.csr()
    arrays = {"indptr": P.indptr, "indices": P.indices, "data": P.data, "R": mdp.rewards}
    return _task("sparse", arrays, S=S, A=A, successors=successors, gamma=gamma, seed=seed)


def grid(n: int, gamma: float, reward: str, seed: int, slip: float = 0.25) -> Task:
    """An n x n gridworld without walls, with four moves in the order of ``tabular.instances.gridworld``.

    With probability ``slip`` a move goes to one side, half of it to each; bumping into the border stays, and the
    probabilities of equal successors are added up. What pays (numbers drawn are multiples of 2**-10):

    ``pairs``    every move in every cell has a reward in [-1, 1], and nothing ends: the discount alone bounds the horizon;
    ``goal``     entering the cell in the middle pays 1, and that cell is absorbing;
    ``terrain``  leaving a cell costs what its terrain costs, in (0, 1], until the goal in the middle.

    ValueError for another ``reward``.
    """
    S = n * n
    r, c = np.divmod(np.arange(S), n)
    moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
    to = np.stack([np.clip(r + dr, 0, n - 1) * n + np.clip(c + dc, 0, n - 1) for dr, dc in moves], axis=1)
    goal, tape = S // 2 + n // 2 * (1 - n % 2), Tape(f"benchmarks.grid/1(n={n}, reward={reward})", seed, 1)
    if reward != "pairs":
        to[goal] = goal
    turns = np.arange(4)
    successors = np.stack([to[:, turns], to[:, (turns - 1) % 4], to[:, (turns + 1) % 4]], axis=-1)
    weights = np.broadcast_to(np.array([1 - slip, slip / 2, slip / 2]), successors.shape)
    if reward == "pairs":
        R = (tape.integers("R", (S, 4), 2049)[0] - 1024) / 1024
    elif reward == "goal":
        R = np.where(successors == goal, weights, 0.0).sum(axis=-1)
        R[goal] = 0.0
    elif reward == "terrain":
        cost = (1 + tape.integers("cost", (S,), 1024)[0]) / 1024
        cost[goal] = 0.0
        R = np.repeat(-cost[:, None], 4, axis=1)
    else:
        raise ValueError(f"reward is {reward!r}: expected pairs, goal or terrain")
    arrays = _csr(successors.reshape(-1, 3), weights.reshape(-1, 3)) | {"R": R}
    return _task("sparse", arrays, S=S, A=4, n=n, slip=slip, reward=reward, gamma=gamma, seed=seed)


def _csr(to: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of (m, k) successors, not necessarily distinct, as CSR with sorted columns."""
    order = np.argsort(to, axis=1, kind="stable")
    to, w = np.take_along_axis(to, order, axis=1), np.take_along_axis(weights, order, axis=1)
    new = np.ones(to.shape, dtype=bool)
    new[:, 1:] = to[:, 1:] != to[:, :-1]
    starts = np.flatnonzero(new)
    data = np.add.reduceat(w.ravel(), starts)
    indptr = np.zeros(len(to) + 1, dtype=np.int64)
    np.cumsum(new.sum(axis=1), out=indptr[1:])
    return {"indptr": indptr, "indices": to.ravel()[starts].astype(np.int32), "data": data}


def batch(B: int, S: int, A: int, gamma: float, seed: int) -> Task:
    """Small Garnets of one shape."""
    many = garnet(S, A, gamma=gamma)(seed, B)
    return _task("batch", {"P": many.P, "R": many.rewards}, B=B, S=S, A=A, gamma=gamma, seed=seed)


def horizon(S: int, A: int, H: int, seed: int) -> Task:
    """A stationary Garnet over H stages, without discount."""
    one = garnet(S, A, gamma=0.5, resolution=2**20)(seed, 1)
    return _task("horizon", {"P": one.P[0], "R": one.rewards[0]}, S=S, A=A, H=H, gamma=1.0, seed=seed)


def exact(S: int, A: int, seed: int) -> Task:
    """A Garnet in integers: weights of 1/1024 and rewards of 1/1024, gamma = 99/100."""
    one = garnet(S, A, gamma=0.5)(seed, 1)
    assert one.weights is not None and one.totals is not None
    arrays = {
        "weights": one.weights[0],
        "totals": one.totals[0],
        "rewards": np.rint(one.rewards[0] * 1024).astype(np.int64),
    }
    return _task("exact", arrays, S=S, A=A, unit=1024, gamma="99/100", seed=seed)


def ucbvi(S: int, A: int, H: int, episodes: int, seed: int) -> Task:
    """A Garnet to be explored, rewards in [0, 1] so fine that no two pairs are tied. What it draws is what
    ``interact`` draws for seed 0.
    """
    from benchmarks.ucbvi import uniforms
    from tabular.exploration._world import build_world

    one = garnet(S, A, gamma=0.5)(seed, 1)
    tape = Tape(f"benchmarks.ucbvi/2(H={H})", seed, 1)
    P, R = one.P[0], tape.integers("R", (S, A), 2**30)[0] / 2.0**30
    world = build_world(FiniteHorizonMDP(P, R, H=H, rho=np.eye(S)[0]), episodes, "mean", per_step=False)
    rows = {name: getattr(world, name) for name in ("indptr", "indices", "chance", "alias")}
    arrays = {"P": P, "R": R, "uniforms": uniforms(episodes, H)} | rows
    return _task("ucbvi", arrays, S=S, A=A, H=H, episodes=episodes, gamma=1.0, seed=seed)


def _task(kind: str, arrays: dict[str, np.ndarray], **facts: Any) -> Task:
    contiguous = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
    return Task({"kind": kind, "tolerance": TOLERANCE} | facts, contiguous)


OURS = Entry("ours", "ours")
ONE_THREAD = Entry("ours, 1 thread", "ours", {"threads": 1})


def peers(*names: str) -> tuple[Entry, ...]:
    return tuple(Entry(name, name.replace("-", "_")) for name in names)


def soft() -> tuple[Entry, ...]:
    """Our own hard solve, then Shannon and Tsallis at each temperature."""
    kinds = (("Shannon", "shannon"), ("Tsallis q=2", "tsallis"))
    return (
        Entry("hard", "ours"),
        *(
            Entry(f"{name}, tau={tau:g}", "ours", {"regularizer": kind, "tau": tau})
            for name, kind in kinds
            for tau in TAUS
        ),
    )


ALL = ("quantecon", "mdpsolver", "pymdptoolbox", "stormpy", "msdm", "jaxdp", "mdpax", "rlberry-scool", "bettermdptools")
PEERS = peers(*ALL)

WORKLOADS: dict[str, Workload] = {
    "W1": Workload(
        "dense Garnet, S=1000, A=10, gamma=.99",
        dense,
        {"S": 1000, "A": 10, "gamma": 0.99, "seed": 1},
        {"S": 200, "A": 10, "gamma": 0.99, "seed": 1},
        (OURS, ONE_THREAD, *PEERS),
    ),
    "W2": Workload(
        "sparse Garnet, S=100,000, A=4, 5 successors, gamma=.99",
        sparse,
        {"S": 100_000, "A": 4, "successors": 5, "gamma": 0.99, "seed": 2},
        {"S": 5_000, "A": 4, "successors": 5, "gamma": 0.99, "seed": 2},
        (OURS, ONE_THREAD, *PEERS),
    ),
    "W3": Workload(
        "slippery gridworld 1000 x 1000, 3 successors, gamma=.999, a reward for every move",
        grid,
        {"n": 1000, "gamma": 0.999, "reward": "pairs", "seed": 3},
        {"n": 60, "gamma": 0.999, "reward": "pairs", "seed": 3},
        (OURS, *PEERS),
        limit=200.0,
        rounds=3,
    ),
    "W3g": Workload(
        "slippery gridworld 1000 x 1000, 3 successors, gamma=.999, 1 for the goal in the middle",
        grid,
        {"n": 1000, "gamma": 0.999, "reward": "goal", "seed": 3},
        {"n": 60, "gamma": 0.999, "reward": "goal", "seed": 3},
        (OURS, *PEERS),
        limit=200.0,
        rounds=3,
        pending="a variant of W3, run by name",
    ),
    "W3t": Workload(
        "slippery gridworld 1000 x 1000, 3 successors, gamma=.999, terrain costs until the goal in the middle",
        grid,
        {"n": 1000, "gamma": 0.999, "reward": "terrain", "seed": 3},
        {"n": 60, "gamma": 0.999, "reward": "terrain", "seed": 3},
        (OURS, *PEERS),
        limit=200.0,
        rounds=3,
        pending="a variant of W3, run by name",
    ),
    "W4": Workload(
        "10,000 small MDPs (S=20, A=5) as one batch",
        batch,
        {"B": 10_000, "S": 20, "A": 5, "gamma": 0.99, "seed": 4},
        {"B": 300, "S": 20, "A": 5, "gamma": 0.99, "seed": 4},
        (OURS, *PEERS),
        rounds=5,
    ),
    "W5": Workload(
        "finite horizon, S=200, A=10, H=100",
        horizon,
        {"S": 200, "A": 10, "H": 100, "seed": 5},
        {"S": 50, "A": 10, "H": 50, "seed": 5},
        (OURS, *PEERS),
        rounds=15,
    ),
    "W6": Workload(
        "UCBVI, S=20, A=5, H=20, 5,000 episodes",
        ucbvi,
        {"S": 20, "A": 5, "H": 20, "episodes": 5_000, "seed": 6},
        {"S": 20, "A": 5, "H": 20, "episodes": 50, "seed": 6},
        (OURS, *peers("rlberry-scool")),
        limit=300.0,
        rounds=3,
    ),
    "W8": Workload(
        "exact rational optimum, S=100, A=4",
        exact,
        {"S": 100, "A": 4, "seed": 8},
        {"S": 20, "A": 4, "seed": 8},
        (OURS, *peers("stormpy")),
        limit=120.0,
    ),
    "W9a": Workload(
        "soft and Tsallis solves beside the hard one, on W1",
        dense,
        {"S": 1000, "A": 10, "gamma": 0.99, "seed": 1},
        {"S": 200, "A": 10, "gamma": 0.99, "seed": 1},
        soft(),
    ),
    "W9b": Workload(
        "soft and Tsallis solves beside the hard one, on W2",
        sparse,
        {"S": 100_000, "A": 4, "successors": 5, "gamma": 0.99, "seed": 2},
        {"S": 5_000, "A": 4, "successors": 5, "gamma": 0.99, "seed": 2},
        soft(),
    ),
}
"""W7 (whole processes) and W10 (claims) are no tasks on arrays: see ``benchmarks.processes`` and ``benchmarks.claims``."""
