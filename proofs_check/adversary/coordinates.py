r"""Instances as real vectors: decoded to exact data, a whole population at once.

Each kind of number has a chart that makes the degenerate cases, where bounds are attained, sets of positive volume:

- rows of probabilities and distributions: :math:`w = \lfloor 2^{32} \max(x, 0)^4 \rceil` over their sum: half of the line is zero;
- rewards and values: :math:`2^s (l + d(x_i))` in units of :math:`2^{-24}`, with the dead zone :math:`d(x) = \mathrm{sign}(x)
  \max(|x| - 1/4, 0)`: constants are common; a second array may start from the first, so that shifts are common, too;
- discounts: :math:`1 - 2^{-y}`, in units of :math:`2^{-40}`; temperatures and the like: their logarithm; other scalars: linear;
- availability: a sign.

Everything decoded is an integer or a dyadic float: it is replayed, hashed and settled without rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from proofs_check.domains import Domain, Features
from proofs_check.draws import Payload
from tabular.batch import MDPBatch

UNIT = 2.0**-24
SCALES = (-16.0, 26.0)  # binary orders of magnitude of values; at most 2^26 * 2^24 * 4 units, exact in float64
REWARDS = (-16.0, 4.0)
ZONE = 0.25
ONE = 2.0**32  # weight of probability one
REACH = 4.0  # coordinates are cut here before they are decoded


@dataclass(frozen=True)
class Space:
    """Instances of one shape: ``features`` say what models have, ``domains`` what is drawn besides."""

    S: int
    A: int
    features: Features
    domains: Mapping[str, Domain]

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self._model_size(self.features) + sum(self._size(n, d) for n, d in self.domains.items()) + 1

    def _model_size(self, f: Features) -> int:
        pairs = self.S * self.A
        return pairs * (self.S + f.endings) + (2 + pairs) + pairs * f.masks

    def _size(self, name: str, d: Domain) -> int:
        if d.form == "model":
            return self._model_size(d.other) if d.other is not None else 0
        n = int(np.prod(d.shape(self.S, self.A), dtype=np.int64))
        if d.form == "distribution" or not d.axes:
            return n
        return n if _bounded(d) else n + 3

    def decode(self, X: np.ndarray) -> tuple[MDPBatch, dict[str, Payload]]:
        """Models and payloads of the rows of ``X`` (N, size)."""
        x = _Reader(np.clip(np.nan_to_num(X), -REACH, REACH))
        gamma = _discount(x.take(1)[:, 0], *self.features.gamma)
        batch = self._read_model(x, self.features, gamma)
        payloads: dict[str, Payload] = {}
        first: dict[tuple[str | int, ...], np.ndarray] = {}  # the first free array of each shape, in units
        for name, d in self.domains.items():
            if d.form == "model":
                payloads[name] = Payload("model", self._read_model(x, d.other or self.features, gamma))
            elif d.form == "distribution":
                payloads[name] = self._read_distribution(x, d, batch.mask)
            elif not d.axes:
                payloads[name] = Payload("array", _scalar(x.take(1)[:, 0], d), 0)
            else:
                payloads[name] = self._read_array(x, d, batch.mask, first)
        return batch, payloads

    def _read_model(self, x: _Reader, f: Features, gamma: np.ndarray) -> MDPBatch:
        n, S, A = len(gamma), self.S, self.A
        columns = S + f.endings
        w = _weights(x.take(S * A * columns).reshape(n, S, A, columns))
        R = _numbers(x.take(2 + S * A), REWARDS).reshape(n, S, A) * UNIT
        if f.masks:
            m = x.take(S * A).reshape(n, S, A)
            R = np.where((m > 0) | (m == m.max(axis=-1, keepdims=True)), R, -np.inf)
        end = np.ascontiguousarray(w[..., S]) if f.endings else None
        return MDPBatch.from_weights(np.ascontiguousarray(w[..., :S]), R, gamma, end_weights=end)

    def _read_distribution(self, x: _Reader, d: Domain, mask: np.ndarray) -> Payload:
        shape = d.shape(self.S, self.A)
        X = x.take(int(np.prod(shape))).reshape(-1, *shape)
        allowed = mask if d.axes == ("S", "A") else np.ones(X.shape, dtype=bool)
        if d.one_hot:
            best = np.where(allowed, X, -np.inf).argmax(axis=-1)
            return Payload("distribution", (best[..., None] == np.arange(shape[-1])).astype(np.int64), len(shape))
        return Payload("distribution", np.where(allowed, _weights(X, allowed) + d.interior, 0), len(shape))

    def _read_array(self, x: _Reader, d: Domain, mask: np.ndarray, first: dict[Any, np.ndarray]) -> Payload:
        shape = d.shape(self.S, self.A)
        n = int(np.prod(shape))
        if _bounded(d):
            data = np.stack([_scalar(column, d) for column in x.take(n).T], axis=-1).reshape(-1, *shape)
            return Payload("array", data, len(shape))
        follows = x.take(1) > 0
        k = _numbers(x.take(2 + n), SCALES)
        if d.axes in first and d.low < 0:
            k = k + np.where(follows, first[d.axes], 0)
        else:
            first.setdefault(d.axes, k)
        k = np.abs(k) if d.low >= 0 else k
        data = k.reshape(-1, *shape) * UNIT
        if d.axes == ("S", "A"):
            data = np.where(mask, data, 0.0)
        return Payload("array", data, len(shape))

    def encode(self, batch: Any, payloads: Mapping[str, Payload]) -> np.ndarray:
        """(B, size) coordinates that decode to (nearly) the given instances."""
        out = [_undiscount(batch.gamma)[:, None], *self._write_model(batch, self.features)]
        first: dict[tuple[str | int, ...], np.ndarray] = {}
        for name, d in self.domains.items():
            p = payloads[name]
            if d.form == "model":
                out += self._write_model(p.data, d.other or self.features)
                continue
            data = np.asarray(p.data)
            flat = data.reshape(len(data), -1)
            if d.form == "distribution":
                out.append(_unweights(data).reshape(len(data), -1))
            elif not d.axes or _bounded(d):
                out.append(_unscalar(flat, d))
            elif d.axes in first and d.low < 0:
                near = np.abs(flat - first[d.axes]).max(axis=-1) <= np.abs(flat).max(axis=-1)
                out += [
                    np.where(near, 1.0, -1.0)[:, None],
                    _unnumbers(flat - np.where(near[:, None], first[d.axes], 0)),
                ]
            else:
                first.setdefault(d.axes, flat)
                out += [np.full((len(data), 1), -1.0), _unnumbers(flat)]
        return np.clip(np.concatenate(out, axis=-1), -REACH, REACH)

    def _write_model(self, batch: Any, f: Features) -> list[np.ndarray]:
        rows = np.concatenate([batch.P, batch.end[..., None]], axis=-1) if f.endings else batch.P
        n = batch.B
        out = [_unweights(rows).reshape(n, -1), _unnumbers(batch.rewards.reshape(n, -1))]
        if f.masks:
            out.append(np.where(batch.mask, 0.5, -0.5).reshape(n, -1))
        return out


class _Reader:
    """Columns of a matrix, piece by piece."""

    def __init__(self, X: np.ndarray) -> None:
        self._X, self._at = X, 0

    def take(self, n: int) -> np.ndarray:
        self._at += n
        return self._X[:, self._at - n : self._at]


def _bounded(d: Domain) -> bool:
    """Arrays with a range are read entry by entry."""
    return bool(d.axes) and bool(np.isfinite(d.high))


def _weights(x: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
    """Integer weights over the last axis; a row without any is a point at its largest coordinate."""
    x = x if allowed is None else np.where(allowed, x, -np.inf)
    w = np.rint(ONE * np.maximum(x, 0.0) ** 4).astype(np.int64)
    top = x.argmax(axis=-1)[..., None] == np.arange(x.shape[-1])
    return np.where(w.sum(axis=-1, keepdims=True) == 0, top.astype(np.int64), w)


def _unweights(w: np.ndarray) -> np.ndarray:
    top = w.max(axis=-1, keepdims=True)
    p = w / np.where(top > 0, top, 1)
    return np.where(p > 0, np.maximum(p, 0.0) ** 0.25, -0.5)


def _numbers(x: np.ndarray, scales: tuple[float, float]) -> np.ndarray:
    """Integer multiples of UNIT from columns scale, level, deviations."""
    s = np.clip(6.5 * x[:, :1], *scales)
    d = x[:, 2:]
    moved = x[:, 1:2] + np.sign(d) * np.maximum(np.abs(d) - ZONE, 0.0)
    return np.rint(np.exp2(s) * moved / UNIT).astype(np.int64)


def _unnumbers(v: np.ndarray) -> np.ndarray:
    level = np.median(v, axis=-1, keepdims=True)
    size = np.abs(v).max(axis=-1, keepdims=True)
    s = np.where(size > 0, np.ceil(np.log2(np.where(size > 0, size, 1.0))), 0.0)
    d = (v - level) / np.exp2(s)
    return np.concatenate([s / 6.5, level / np.exp2(s), d + np.sign(d) * ZONE], axis=-1)


def _discount(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Discounts in [low, high]; eight coordinates to one are the 32 binary orders of 1 - gamma."""
    y = 8.0 * np.maximum(x, 0.0)
    gamma = np.where(y > 31, 1.0, np.rint((1.0 - np.exp2(-y)) * 2.0**40) / 2.0**40)
    return np.clip(gamma, low, high)


def _undiscount(gamma: np.ndarray) -> np.ndarray:
    left = 1.0 - gamma
    return np.where(left > 0, -np.log2(np.where(left > 0, left, 1.0)) / 8.0, REACH)


def _scalar(x: np.ndarray, d: Domain) -> np.ndarray:
    """Numbers in [low, high]: coordinates -1 ... 1 reach from end to end."""
    t = np.clip((x + 1.0) / 2.0, 0.0, 1.0)
    if d.integer:
        return np.rint(d.low + t * (d.high - d.low))
    if d.logarithmic:
        mantissa, exponent = np.frexp(d.low * (d.high / d.low) ** t)
        value = np.ldexp(np.rint(mantissa * 2.0**20), exponent - 20)
    else:
        value = d.low + np.rint(t * (d.high - d.low) * 2.0**30) / 2.0**30
    return np.asarray(np.clip(value, d.low, d.high))


def _unscalar(v: np.ndarray, d: Domain) -> np.ndarray:
    if d.high <= d.low:
        return np.zeros(v.shape)
    log_range = np.log(d.high / d.low) if d.logarithmic else 1.0
    t = np.log(np.maximum(v, d.low) / d.low) / log_range if d.logarithmic else (v - d.low) / (d.high - d.low)
    return np.asarray(2.0 * t - 1.0)
