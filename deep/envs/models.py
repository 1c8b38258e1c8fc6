"""The models that come with an oracle: FourRooms, DeepSea, FrozenLake and a pendulum on a grid."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tabular import _border as border
from tabular.finite_horizon import FiniteHorizonMDP
from tabular.instances import deep_sea, four_rooms
from tabular.mdp import CSR, MDP

SPEED, TORQUE, DT, GRAVITY = 8.0, 2.0, 0.05, 10.0


def staged(fh: FiniteHorizonMDP, gamma: float) -> MDP:
    """A finite horizon as a discounted model that ends: state ``h S + s`` is ``s`` in stage ``h``, and the last stage ends.

    Only stages without endings of their own and a terminal value of zero; discounts as said (a horizon of its own is no reason
    for one, but then ``gamma`` must be 1, which learners do without). ModelError otherwise.
    """
    border.expect(fh, "staged", "FiniteHorizonMDP")
    if fh.terminal.any():
        raise ValueError("staged takes a terminal value of zero")
    S, A, H = fh.S, fh.A, fh.H
    indptr, indices, data = [np.zeros(1, dtype=np.int64)], [], []
    end, R = np.zeros((H, S, A)), np.zeros((H, S, A))
    for h in range(H):
        stage = fh.stage(h)
        R[h] = stage.R
        if h == H - 1:
            end[h] = 1.0
            indptr.append(np.full(S * A, indptr[-1][-1]))
            continue
        P = stage.csr()
        end[h] = stage.end
        indptr.append(indptr[-1][-1] + P.indptr[1:])
        indices.append(P.indices + (h + 1) * S)
        data.append(P.data)
    rows = CSR(np.concatenate(indptr), np.concatenate(indices).astype(np.int32), np.concatenate(data))
    rho = None if fh.rho is None else np.concatenate([fh.rho, np.zeros((H - 1) * S)])
    from scipy.sparse import csr_array

    P_all = csr_array((rows.data, rows.indices, rows.indptr), shape=(H * S * A, H * S))
    return MDP(P_all, R.reshape(-1, A), gamma, end=end.reshape(-1, A), rho=rho, name=fh.name)


def deep_sea_model(N: int = 10, gamma: float = 0.99, seed: int | None = None) -> MDP:
    """DeepSea of size N as a model of N^2 cells that ends after N steps. One path to the treasure; see ``deep_sea``."""
    return staged(deep_sea(N, seed=seed), gamma)


def four_rooms_model(gamma: float = 0.95, slip: float = 0.1) -> MDP:
    """Four rooms with slips: from the first cell to the last, which pays 1 a step; nothing ends."""
    return four_rooms(gamma=gamma, slip=slip)


def frozen_lake_model(gamma: float = 0.95, size: str = "4x4") -> MDP:
    """Gymnasium's FrozenLake, slippery; holes and the goal end. ValueError for a size that it does not have."""
    if size not in ("4x4", "8x8"):
        raise ValueError(f"size is {size!r}: expected '4x4' or '8x8'")
    return MDP.from_gymnasium("FrozenLake-v1", gamma=gamma, map_name=size)


def pendulum_model(angles: int = 21, speeds: int = 21, torques: int = 5, gamma: float = 0.95) -> tuple[MDP, np.ndarray]:
    r"""The pendulum of Gymnasium on a grid, and the features (cos, sin, speed / 8) of its points.

    A step from a grid point lands between grid points: the four around take it in the shares of bilinear interpolation, which
    makes a Markov chain of them whose mean step is the true one. Rewards :math:`-(\theta^2 + 0.1 \dot\theta^2 + 0.001 u^2)`
    are exact at grid points. Starts are uniform over angles and speeds within 1; nothing ends. ValueError for fewer than 3
    angles or speeds or 2 torques.
    """
    for name, n, least in (("angles", angles, 3), ("speeds", speeds, 3), ("torques", torques, 2)):
        border.count(n, name, least)
    theta = -np.pi + 2 * np.pi * np.arange(angles) / angles
    omega, u = np.linspace(-SPEED, SPEED, speeds), np.linspace(-TORQUE, TORQUE, torques)
    th, om, a = (x.ravel() for x in np.meshgrid(theta, omega, u, indexing="ij"))
    R = -(th**2 + 0.1 * om**2 + 0.001 * a**2).reshape(-1, torques)
    speed = np.clip(om + (1.5 * GRAVITY * np.sin(th) + 3.0 * a) * DT, -SPEED, SPEED)
    i = (th + speed * DT + np.pi) / (2 * np.pi) * angles
    j = (speed + SPEED) / (2 * SPEED) * (speeds - 1)
    low_i, low_j = np.floor(i).astype(int), np.minimum(np.floor(j).astype(int), speeds - 2)
    rows, columns, shares = np.arange(len(th)), [], []
    for di in (0, 1):
        for dj in (0, 1):
            share = np.abs(1 - di - (i - low_i)) * np.abs(1 - dj - (j - low_j))
            columns.append(((low_i + di) % angles) * speeds + low_j + dj)
            shares.append(share)
    from scipy.sparse import csr_array

    places = (np.tile(rows, 4), np.concatenate(columns))
    P = csr_array((np.concatenate(shares), places), shape=(len(th), angles * speeds))
    P.sum_duplicates()
    P.eliminate_zeros()
    grid_th, grid_om = (x.ravel() for x in np.meshgrid(theta, omega, indexing="ij"))
    rho = (np.abs(grid_om) <= 1.0 + 1e-9).astype(float)
    mdp = MDP(P, R, gamma, rho=rho / rho.sum(), renormalise=True, name="pendulum")
    return mdp, np.stack([np.cos(grid_th), np.sin(grid_th), grid_om / SPEED], axis=1)


BUILDERS: dict[str, Callable[..., Any]] = {
    "FourRooms": four_rooms_model, "DeepSea": deep_sea_model, "FrozenLake": frozen_lake_model, "Pendulum-grid": pendulum_model,
}  # fmt: skip


def options(name: str) -> list[str]:
    """The options of a model by name."""
    return list(inspect.signature(BUILDERS[name]).parameters)


def named(name: str, **options: Any) -> tuple[MDP, np.ndarray | None, int]:
    """A model by name, its features (None: one-hot) and the steps of an episode."""
    made = BUILDERS[name](**options)
    if name == "Pendulum-grid":
        return *made, 200
    return made, None, made.S if name == "DeepSea" else 100
