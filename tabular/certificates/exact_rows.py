"""Rows of an exact model in FLINT's numbers: expectations, signs of advantages, and the values of a policy."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from numbers import Rational
from typing import Any, NamedTuple

from tabular.certificates.components import strong_components
from tabular.errors import ImproperModel
from tabular.exact_model import ExactModel


class _Lowest(NamedTuple):
    """A rational in lowest terms: ``Fraction`` takes it as it is, without another greatest common divisor."""

    numerator: int
    denominator: int


Rational.register(_Lowest)


def as_fraction(x: Any) -> Fraction:
    lowest: Any = _Lowest(int(x.p), int(x.q))
    return Fraction(lowest)


class ExactRows:
    """Rows of an exact model; what is asked of a row turns it into FLINT's numbers, once."""

    def __init__(self, m: ExactModel) -> None:
        from flint import fmpq, fmpz

        self.m = m
        self.ptr = m.indptr.tolist()
        self.gn, self.gd = m.gamma.numerator, m.gamma.denominator
        self.gamma = fmpq(self.gn, self.gd)
        self._rows: dict[int, tuple[list[int], list[Any], Any]] = {}
        self._fmpq, self._fmpz = fmpq, fmpz

    def columns(self, i: int) -> list[int]:
        """Successors of the pair ``i = s * A + a``."""
        found: list[int] = self.m.indices[self.ptr[i] : self.ptr[i + 1]].tolist()
        return found

    def _row(self, i: int) -> tuple[list[int], list[Any], Any]:
        """Successors, weights and reward of a pair."""
        if i not in self._rows:
            R = self.m.R[i]
            weights = [self._fmpz(w) for w in self.m.weights[self.ptr[i] : self.ptr[i + 1]]]
            self._rows[i] = self.columns(i), weights, self._fmpq(R.numerator, R.denominator)
        return self._rows[i]

    def action_value(self, i: int, V: Sequence[Any]) -> Any:
        """``R(i) + gamma sum_t P(t | i) V(t)``."""
        columns, weights, R = self._row(i)
        mean = sum((w * V[t] for w, t in zip(weights, columns, strict=True)), self._fmpq(0)) / self.m.totals[i]
        return R + self.gamma * mean

    def advantages(self, pairs: Sequence[int], V: Sequence[Any]) -> list[tuple[Any, Any]]:
        """``R + gamma P V - V`` of each pair as a numerator and a positive denominator, not in lowest terms.

        Most values of a strong component have the same denominator: sums over it are sums of integers.
        """
        p, q = [x.p for x in V], [x.q for x in V]
        out = []
        for i in pairs:
            columns, weights, R = self._row(i)
            s = i // self.m.A
            den = q[s]
            for t in columns:
                if q[t] != den:
                    den = den.lcm(q[t])
            total = self._fmpz(0)
            for w, t in zip(weights, columns, strict=True):
                total += w * p[t] if q[t] == den else w * p[t] * (den // q[t])
            scale = self.m.totals[i] * self.gd
            own = p[s] if q[s] == den else p[s] * (den // q[s])
            rest = total * self.gn - own * scale
            out.append((R.p * (den * scale) + R.q * rest, R.q * (den * scale)))
        return out

    def evaluate(self, choice: Sequence[int]) -> list[Any]:
        """Values of a deterministic policy, one strong component of its chain at a time, successors first."""
        rows = [s * self.m.A + a for s, a in enumerate(choice)]
        after = [self.columns(i) if self.gn else [] for i in rows]
        V: list[Any] = [None] * len(rows)
        for block in strong_components(after):
            self._solve(block, rows, V)
        return V

    def _solve(self, block: list[int], rows: list[int], V: list[Any]) -> None:
        """``(gd total I - gn W) V = gd total R + gn W_outside V_outside`` on a block of states.

        Rows are Python's integers until they are divided by what they have in common: without it they are
        shorter by the 53 bits of a float.
        """
        from flint import fmpz_mat

        place = None if len(block) == len(rows) else {s: k for k, s in enumerate(block)}
        n = len(block)
        M: list[list[int]] = []
        b: list[Any] = []
        for k, s in enumerate(block):
            i = rows[s]
            scale, R = self.gd * self.m.totals[i], self.m.R[i]
            right = self._fmpq(R.numerator, R.denominator) * scale
            columns, weights = self.columns(i), self.m.weights[self.ptr[i] : self.ptr[i + 1]]
            row = [0] * n
            if place is None:
                for t, w in zip(columns, weights, strict=True):
                    row[t] = -self.gn * w
            else:
                for t, w in zip(columns, weights, strict=True):
                    if t in place:
                        row[place[t]] = -self.gn * w
                    elif self.gn:
                        right += self.gn * w * V[t]
            row[k] += scale
            if n > 1 and (g := gcd(*row)) > 1:
                row = [x // g for x in row]
                right /= g
            M.append(row)
            b.append(right)
        if n == 1:
            if not M[0][0]:
                raise _never_ends(block)
            V[block[0]] = b[0] / M[0][0]
            return
        den = lcm(*(int(y.q) for y in b))
        try:
            solution: Any = fmpz_mat(M).solve(fmpz_mat(n, 1, [(y * den).p for y in b]))
        except ZeroDivisionError:
            raise _never_ends(block) from None
        for k, s in enumerate(block):
            V[s] = solution[k, 0] / den


def _never_ends(states: list[int]) -> ImproperModel:
    shown = ", ".join(str(s) for s in states[:4]) + (", ..." if len(states) > 4 else "")
    return ImproperModel(f"gamma = 1: a policy never leaves {shown} (states), so its total reward is not finite")
