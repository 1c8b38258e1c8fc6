r"""Optimistic Q-learning, part 1: sums of its learning rates, exactly.

:math:`\alpha_t = (H+1)/(H+t)`, and :math:`\alpha_t^i = \alpha_i \prod_{j=i+1}^t (1 - \alpha_j)` is the weight that the
i-th of t updates has in the value. All is checked for t up to 48. The models that claims are given play no part.
"""

from __future__ import annotations

from typing import Any

from proofs_check import Identity, Inequality, claim, families, stronger, twin
from proofs_check.draws import integers

PAPER = "Jin, Allen-Zhu, Bubeck and Jordan 2018"
LEMMA = PAPER + ", Lemma 4.1"
UPDATES = 48
FEW: dict[str, Any] = {"family": families.bandits(2), "draws": {"H": integers(1, 6)}, "instances": ()}


def weights(ops: Any, rate: Any) -> Any:
    r"""(t, i) weights :math:`\alpha_t^i`, t and i from 1 to UPDATES, zero for i > t; ``rate(t)`` is :math:`\alpha_t`."""
    unit = ops.identity(UPDATES)

    def step(w: Any, t: int) -> tuple[Any, Any]:
        a = rate(t)
        w = (1 - a) * w + a * unit[t - 1]
        return w, w

    return ops.stack(ops.scan(step, 0 * unit[0], range(1, UPDATES + 1))[1])


def _weights(ops: Any, H: Any) -> Any:
    return weights(ops, lambda t: (H + 1) / (H + t))


def _counts(ops: Any) -> Any:
    """1 ... UPDATES."""
    return ops.array(list(range(1, UPDATES + 1)), 1)


@claim(id="optimistic_q.C1", source=LEMMA, kind="identity", **FEW)
def weights_sum_to_one(ops: Any, m: Any, H: Any) -> Identity:
    r"""\sum_{i=1}^t \alpha_t^i = 1 for t \ge 1.

    Proof: :math:`\alpha_1 = 1`, and each step takes a convex combination.
    """
    return Identity(ops.sum(_weights(ops, H)), 1, axes=("t",))


@twin(weights_sum_to_one, why="H / (H + t): the start is never forgotten")
def weights_of_a_slower_rate(ops: Any, m: Any, H: Any) -> Identity:
    return Identity(ops.sum(weights(ops, lambda t: H / (H + t))), 1, axes=("t",))


def _roots(ops: Any, H: Any) -> tuple[Any, Any]:
    r"""(t,) of :math:`\sum_i \alpha_t^i / \sqrt i` and :math:`1 / \sqrt t`."""
    root = 1 / ops.sqrt(_counts(ops))
    return ops.sum(_weights(ops, H) * root[None, :]), root


@claim(id="optimistic_q.C1a", source=LEMMA, kind="inequality", **FEW)
def roots_from_below(ops: Any, m: Any, H: Any) -> Inequality:
    r"""1 / \sqrt t \le \sum_i \alpha_t^i / \sqrt i, checked for t > 1: at t = 1 both are 1.

    Proof: C1, and :math:`i \le t`.
    """
    total, root = _roots(ops, H)
    return Inequality(root[1:], total[1:], axes=("t",))


stronger(roots_from_below, 0.9)


@claim(id="optimistic_q.C1b", source=LEMMA, kind="inequality", **FEW)
def roots_from_above(ops: Any, m: Any, H: Any) -> Inequality:
    r"""\sum_i \alpha_t^i / \sqrt i \le 2 / \sqrt t.

    Proof: C1c, as :math:`(H+1)/(H+1/2) \le 4/3`.
    """
    total, root = _roots(ops, H)
    return Inequality(total, 2 * root, axes=("t",))


stronger(roots_from_above, 0.5, why="the constant 1")


@claim(id="optimistic_q.C1c", source="ours, after " + LEMMA, kind="inequality", **FEW)
def roots_from_above_sharply(ops: Any, m: Any, H: Any) -> Inequality:
    r"""\sum_i \alpha_t^i / \sqrt i \le \frac{H+1}{H+1/2} / \sqrt t.

    Proof: with c the constant and the bound at t - 1, the sum at t is at most :math:`[c \sqrt{t-1} + (H+1)/\sqrt t]
    / (H+t)`, and :math:`c \sqrt{t (t-1)} + H + 1 \le c (t - 1/2) + c (H + 1/2)`.
    """
    total, root = _roots(ops, H)
    return Inequality(total, (H + 1) / (H + 0.5) * root, axes=("t",))


@twin(roots_from_above_sharply, why="the constant 1 + 1 / (2H + 2)")
def roots_from_above_too_sharply(ops: Any, m: Any, H: Any) -> Inequality:
    total, root = _roots(ops, H)
    return Inequality(total, (1 + 1 / (2 * H + 2)) * root, axes=("t",))


@claim(id="optimistic_q.C1d", source=LEMMA, kind="inequality", **FEW)
def largest_weight(ops: Any, m: Any, H: Any) -> Inequality:
    r"""\max_i \alpha_t^i \le 2 H / t.

    Proof: C1e, as :math:`(H+1)/(H+t) \le 2H/t`.
    """
    return Inequality(ops.max(_weights(ops, H)), 2 * H / _counts(ops), axes=("t",))


@twin(largest_weight, why="H / t")
def largest_weight_of_half_the_size(ops: Any, m: Any, H: Any) -> Inequality:
    return Inequality(ops.max(_weights(ops, H)), H / _counts(ops), axes=("t",))


@claim(id="optimistic_q.C1e", source="ours, after " + LEMMA, kind="identity", **FEW)
def largest_weight_exactly(ops: Any, m: Any, H: Any) -> Identity:
    r"""\max_i \alpha_t^i = \alpha_t = (H+1)/(H+t): the last update weighs most.

    Proof: :math:`\alpha_t^{i-1} / \alpha_t^i = (i-1)/(H+i-1) < 1`.
    """
    return Identity(ops.max(_weights(ops, H)), (H + 1) / (H + _counts(ops)), axes=("t",))


@twin(largest_weight_exactly, why="H / (H + t)")
def largest_weight_one_less(ops: Any, m: Any, H: Any) -> Identity:
    return Identity(ops.max(_weights(ops, H)), H / (H + _counts(ops)), axes=("t",))


@claim(id="optimistic_q.C1f", source=LEMMA, kind="inequality", **FEW)
def sum_of_squares(ops: Any, m: Any, H: Any) -> Inequality:
    r"""\sum_i (\alpha_t^i)^2 \le 2 H / t.

    Proof: at most the largest weight, by C1.
    """
    w = _weights(ops, H)
    return Inequality(ops.sum(w * w), 2 * H / _counts(ops), axes=("t",))


stronger(sum_of_squares, 0.25, why="H / (2t)")


def _column(ops: Any, w: Any, tail: Any) -> Any:
    """(i,) sums of the columns of the weights, with ``tail`` times the last row for what comes later."""
    return ops.sum(w, axis=-2) + tail * w[UPDATES - 1]


@claim(id="optimistic_q.C1g", source=LEMMA, kind="identity", **FEW)
def columns(ops: Any, m: Any, H: Any) -> Identity:
    r"""\sum_{t \ge i} \alpha_t^i = 1 + 1/H, as \sum_{t=i}^n \alpha_t^i + (n/H) \alpha_n^i = 1 + 1/H for all n \ge i. Here n = 48.

    Proof: :math:`\alpha_{n+1}^i = \alpha_n^i n / (H+n+1)`, so that :math:`\alpha_{n+1}^i (1 + (n+1)/H) = \alpha_n^i n/H`:
    the left side is the same for all n, and at n = i it is :math:`\alpha_i (1 + i/H)`. The second term vanishes, as
    :math:`\alpha_n^i` is of order :math:`n^{-H-1}`.
    """
    return Identity(_column(ops, _weights(ops, H), UPDATES / H), 1 + 1 / H, axes=("i",))


@twin(columns, why="1: as if an error were passed on once")
def columns_sum_to_one(ops: Any, m: Any, H: Any) -> Identity:
    return Identity(_column(ops, _weights(ops, H), UPDATES / H), 1, axes=("i",))


def _averaging(ops: Any, H: Any) -> Any:
    return weights(ops, lambda t: (0 * H + 1) / t)


@claim(id="optimistic_q.C5", source="ours, after " + PAPER, kind="inequality", **FEW)
def averaging_counts_errors_again(ops: Any, m: Any, H: Any) -> Inequality:
    r"""With \alpha_t = 1/t columns diverge: \sum_{t=i}^n \alpha_t^i \ge \log((n+1)/i), for all i \le n. Here n = 48.

    Proof: then :math:`\alpha_t^i = 1/t` for every :math:`i \le t`, and :math:`1/t \ge \log((t+1)/t)`. So an error is passed
    on to the step before :math:`\log(n/i)` times, where :math:`1 + 1/H` is what the paper's rates allow.
    """
    log = ops.log((UPDATES + 1) / _counts(ops))
    return Inequality(log, _column(ops, _averaging(ops, H), 0), axes=("i",))


@twin(averaging_counts_errors_again, why="bounded columns: at most 1 + 1/H = 2 at H = 1, as with the paper's rates")
def averaging_has_bounded_columns(ops: Any, m: Any, H: Any) -> Inequality:
    return Inequality(_column(ops, _averaging(ops, H), 0), 2, axes=("i",))


@claim(id="optimistic_q.C5a", source="ours, after " + PAPER, kind="identity", **FEW)
def averaging_weighs_alike(ops: Any, m: Any, H: Any) -> Identity:
    r"""With \alpha_t = 1/t every update weighs the same: t \alpha_t^i = 1 for i \le t.

    Proof: :math:`\frac1i \prod_{j=i+1}^t \frac{j-1}j = \frac1t`.
    """
    w = _averaging(ops, H)
    return Identity(UPDATES * w[UPDATES - 1], 1, axes=("i",))


@twin(averaging_weighs_alike, why="with the paper's rates")
def rates_weigh_alike(ops: Any, m: Any, H: Any) -> Identity:
    return Identity(UPDATES * _weights(ops, H)[UPDATES - 1], 1, axes=("i",))
