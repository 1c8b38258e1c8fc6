# mypy: allow-untyped-defs
"""The loop in which a learner plays episodes: its class settles at compile time which functions the loop calls.

What an episode draws is a function of (key, episode, step) alone, and of what is asked there: one SplitMix stream an
episode, of which step h reads the words 1 + 4h ... 4 + 4h (action, successor, reward, one to spare) and the start word 0. So
learners that do the same see the same, and neither threads nor interruptions change a bit.

Rows are `h * stride + s * A + a`, with stride 0 where all steps share one model, S * A where each has its own; a row's
successors are the slots `indptr[row] ... indptr[row + 1] - 1`. Counts lie in the same slots, so that an observation is one
increment, and a slot never drawn holds zero, as if it were not there.
"""

from typing import NamedTuple

import numpy as np
from numba.core.errors import TypingError
from numba.extending import overload

from tabular._jit import kernel, rests_on
from tabular._kernels.sampling import mix, pick, stream, unit

REGRET, VALUE, COLLECTED = 0, 1, 2
"""Places in `Book.sums`: regret so far, value of the policy being played, rewards so far."""
MARK, EVALUATIONS, STOPPED, STATE = 0, 1, 2, 3
"""Places in `Book.places`: the next mark, policies evaluated, the episode before which the learner stopped (or -1)."""


class World(NamedTuple):
    """The true model as the kernels read it, and the number K of episodes to come."""

    H: int
    S: int
    A: int
    K: int
    stride: int
    noisy: bool  # rewards are Bernoulli draws with the means R
    indptr: np.ndarray  # (rows + 1,) int64
    indices: np.ndarray  # (nnz,) uint32
    mass: np.ndarray  # (nnz,)
    spread: np.ndarray  # (rows, S): the same with zeros between, where most are positive; else (0, S)
    chance: np.ndarray  # (nnz,) and alias (nnz,) int32: the tables of `sampling`
    alias: np.ndarray
    R: np.ndarray  # (rows,)
    rho: np.ndarray  # (S,), with its tables
    rho_chance: np.ndarray
    rho_alias: np.ndarray
    V_star: np.ndarray  # (H + 1, S)
    best: float  # the optimal value at the start


class Counts(NamedTuple):
    """What has been seen, the episode in progress included."""

    visits: np.ndarray  # (rows,) int64
    share: np.ndarray  # (rows,): 1 / visits, zero where there are none
    seen: np.ndarray  # (nnz,) float64, whole numbers
    reward: np.ndarray  # (rows,): sums of the rewards that came


class Policy(NamedTuple):
    """What is played: `act` by deterministic learners, `pi` by the others; and its exact value."""

    act: np.ndarray  # (H, S) int64
    pi: np.ndarray  # (H, S, A); (1, 1, 1) where unused
    V: np.ndarray  # (H + 1, S)


class Book(NamedTuple):
    """What is recorded: row i of `curve` is written after episode `marks[i]`, counted from one."""

    marks: np.ndarray  # (n,) int64, increasing
    curve: np.ndarray  # (n, 4 + the learner's own)
    sums: np.ndarray  # (3,)
    places: np.ndarray  # (4,) int64


class Functions(NamedTuple):
    """The compiled functions of a class of learners."""

    plan: object  # (learner, world, counts, own, policy, key, k) -> int
    observe: object  # (learner, world, counts, own, policy, k, h, s, a, r, t) -> None
    stop: object  # (learner, world, counts, own, k) -> bool
    report: object  # (learner, world, counts, own, policy, out) -> None
    payoff: object  # (learner, world, policy, h, s) -> float
    stochastic: bool
    paid: bool  # whether there is a payoff


_registered: dict[type, Functions] = {}


def _observe_nothing(learner, world, counts, own, policy, k, h, s, a, r, t):
    pass


def _never_stop(learner, world, counts, own, k):
    return False


def _report_nothing(learner, world, counts, own, policy, out):
    pass


def _no_payoff(learner, world, policy, h, s):
    return 0.0


def register_functions(cls, plan, observe=None, stop=None, report=None, payoff=None, stochastic=False):
    """Let the loop take learners of class `cls`, a NamedTuple of numbers, arrays and such tuples.

    The functions are Python functions that Numba can compile, or kernels. Raises TypeError where `cls` is no NamedTuple
    class, ValueError where it has functions already.
    """
    if not (isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")):
        raise TypeError(f"functions are registered for a NamedTuple class, not {cls!r}")
    if cls in _registered:
        raise ValueError(f"{cls.__name__} has functions already")
    given = (plan, observe or _observe_nothing, stop or _never_stop, report or _report_nothing, payoff or _no_payoff)
    rests_on(cls, *given)
    compiled = [f if hasattr(f, "py_func") else kernel(f) for f in given]
    plan, observe, stop, report, paying = compiled
    _registered[cls] = Functions(plan, observe, stop, report, paying, stochastic, payoff is not None)


def has_functions(cls):
    """Whether the loop takes learners of class `cls`."""
    return cls in _registered


def _functions_of(cls):
    if cls not in _registered:
        raise TypingError(f"no functions are registered for {cls}: call register_learner")
    return _registered[cls]


def plan(learner, world, counts, own, policy, key, k):
    """Prepare episode k; how many of the first stages play otherwise than before (or value what comes otherwise)."""
    return _functions_of(type(learner)).plan(learner, world, counts, own, policy, key, k)


def observe(learner, world, counts, own, policy, k, h, s, a, r, t):
    """What the learner does with a step, after it was counted."""
    _functions_of(type(learner)).observe(learner, world, counts, own, policy, k, h, s, a, r, t)


def stop(learner, world, counts, own, k):
    """Whether the learner ends the run before episode k."""
    return _functions_of(type(learner)).stop(learner, world, counts, own, k)


def report(learner, world, counts, own, policy, out):
    """Fill the learner's own columns of the curve."""
    _functions_of(type(learner)).report(learner, world, counts, own, policy, out)


def choose(learner, policy, h, s, u):
    """The action at step h in state s, given a uniform number."""
    return (drawn if _functions_of(type(learner)).stochastic else fixed)(policy, h, s, u)


def evaluate(learner, world, policy, stages):
    """`policy.V` at the stages below `stages`, exactly up to rounding: one backward pass over the true model."""
    _evaluation(_functions_of(type(learner)))(learner, world, policy, stages)


def payoff(learner, world, policy, h, s):
    """What the learner's objective pays besides the rewards, for being in state s at step h with this policy."""
    return _functions_of(type(learner)).payoff(learner, world, policy, h, s)


def _evaluation(functions):
    if functions.stochastic:
        return evaluate_drawn
    return evaluate_paid if functions.paid else evaluate_fixed


def _class(learner):
    return getattr(learner, "instance_class", learner)


@overload(plan)
def _plan(learner, world, counts, own, policy, key, k):
    chosen = _functions_of(_class(learner)).plan
    return lambda learner, world, counts, own, policy, key, k: chosen(learner, world, counts, own, policy, key, k)


@overload(observe, inline="always")
def _observe(learner, world, counts, own, policy, k, h, s, a, r, t):
    chosen = _functions_of(_class(learner)).observe
    return lambda learner, world, counts, own, policy, k, h, s, a, r, t: chosen(
        learner, world, counts, own, policy, k, h, s, a, r, t
    )


@overload(stop, inline="always")
def _stop(learner, world, counts, own, k):
    chosen = _functions_of(_class(learner)).stop
    return lambda learner, world, counts, own, k: chosen(learner, world, counts, own, k)


@overload(report)
def _report(learner, world, counts, own, policy, out):
    chosen = _functions_of(_class(learner)).report
    return lambda learner, world, counts, own, policy, out: chosen(learner, world, counts, own, policy, out)


@overload(choose, inline="always")
def _choose(learner, policy, h, s, u):
    chosen = drawn if _functions_of(_class(learner)).stochastic else fixed
    return lambda learner, policy, h, s, u: chosen(policy, h, s, u)


@overload(evaluate)
def _evaluate(learner, world, policy, stages):
    chosen = _evaluation(_functions_of(_class(learner)))
    return lambda learner, world, policy, stages: chosen(learner, world, policy, stages)


@overload(payoff, inline="always")
def _payoff(learner, world, policy, h, s):
    chosen = _functions_of(_class(learner)).payoff
    return lambda learner, world, policy, h, s: chosen(learner, world, policy, h, s)


@kernel
def fixed(policy, h, s, u):
    return policy.act[h, s]


@kernel
def drawn(policy, h, s, u):
    """By inversion; the last action that has a probability takes what rounding leaves."""
    last, total = 0, 0.0
    for a in range(policy.pi.shape[2]):
        p = policy.pi[h, s, a]
        if p > 0.0:
            total += p
            last = a
            if u < total:
                break
    return last


@kernel
def expected(world, row, V):
    """The mean of V over the successors of a row."""
    total = 0.0
    for i in range(np.uint64(world.indptr[row]), np.uint64(world.indptr[row + 1])):
        total += world.mass[i] * V[world.indices[i]]
    return total


@kernel
def estimated(world, counts, row, V):
    """The mean of V over the successors seen of a row; zero where there are none."""
    total = 0.0
    for i in range(np.uint64(world.indptr[row]), np.uint64(world.indptr[row + 1])):
        total += counts.seen[i] * V[world.indices[i]]
    return total * counts.share[row]


@kernel
def evaluate_fixed(learner, world, policy, stages):
    follow(
        world.indptr, world.indices, world.mass, world.spread, world.R, world.stride, world.A, policy.act, policy.V, 0, stages
    )  # fmt: skip


@kernel
def evaluate_paid(learner, world, policy, stages):
    for h in range(stages - 1, -1, -1):
        follow(
            world.indptr, world.indices, world.mass, world.spread, world.R, world.stride, world.A, policy.act, policy.V, h, h + 1
        )  # fmt: skip
        for s in range(world.S):
            policy.V[h, s] += payoff(learner, world, policy, h, s)


@kernel
def follow(indptr, indices, mass, spread, R, stride, A, act, V, first, last):
    """V[h, s] = the reward of the action act[h, s] and the mean of V[h + 1] behind it, for h = last - 1, ..., first.

    Arrays one by one, not in tuples: in inner loops, which branch, Numba counts the references to a tuple's arrays.
    Rows where most successors are possible are read whole, four states at a time.
    """
    S = act.shape[1]
    fours = S - S % 4 if spread.size else 0
    for h in range(last - 1, first - 1, -1):
        start = h * stride
        for s in range(0, fours, 4):
            i, j = start + s * A + act[h, s], start + (s + 1) * A + act[h, s + 1]
            k, m = start + (s + 2) * A + act[h, s + 2], start + (s + 3) * A + act[h, s + 3]
            w, x, y, z = 0.0, 0.0, 0.0, 0.0
            for t in range(S):
                v = V[h + 1, t]
                w += spread[i, t] * v
                x += spread[j, t] * v
                y += spread[k, t] * v
                z += spread[m, t] * v
            V[h, s], V[h, s + 1], V[h, s + 2], V[h, s + 3] = R[i] + w, R[j] + x, R[k] + y, R[m] + z
        for s in range(fours, S):
            row = start + s * A + act[h, s]
            total = R[row]
            for i in range(np.uint64(indptr[row]), np.uint64(indptr[row + 1])):
                total += mass[i] * V[h + 1, indices[i]]
            V[h, s] = total


@kernel
def evaluate_drawn(learner, world, policy, stages):
    for h in range(stages - 1, -1, -1):
        V = policy.V[h + 1]
        for s in range(world.S):
            total = payoff(learner, world, policy, h, s)
            for a in range(world.A):
                p = policy.pi[h, s, a]
                if p > 0.0:
                    row = h * world.stride + s * world.A + a
                    total += p * (world.R[row] + expected(world, row, V))
            policy.V[h, s] = total


@kernel
def optimal(world, V):
    """V (H + 1, S) = the optimal values: backward induction."""
    for s in range(world.S):
        V[world.H, s] = 0.0
    for h in range(world.H - 1, -1, -1):
        for s in range(world.S):
            top = -np.inf
            for a in range(world.A):
                row = h * world.stride + s * world.A + a
                top = max(top, world.R[row] + expected(world, row, V[h + 1]))
            V[h, s] = top


@kernel
def word(z, increment, i):
    """The i-th uniform number of a stream."""
    return unit(mix(z + np.uint64(i + 1) * increment))


@kernel
def successor(world, row, u):
    """A slot of a row, drawn with a uniform number."""
    start = world.indptr[row]
    return start + pick(start, world.indptr[row + 1] - start, world.chance, world.alias, u)


@kernel
def count(counts, row, slot, r):
    counts.visits[row] += 1
    counts.share[row] = 1.0 / counts.visits[row]
    counts.seen[slot] += 1.0
    counts.reward[row] += r


@kernel
def at_start(world, V):
    total = 0.0
    for s in range(world.S):
        total += world.rho[s] * V[s]
    return total


@kernel
def episodes(learner, world, counts, own, policy, key, book, first, last):
    """Play the episodes first ... last - 1, counted from zero; the episode before which the run ended (or `last`)."""
    H, S, A = world.H, world.S, world.A
    sums, places = book.sums, book.places
    for k in range(first, last):
        stages = plan(learner, world, counts, own, policy, key, k)
        if k == 0:
            stages = H
        if stages > 0:
            evaluate(learner, world, policy, stages)
            sums[VALUE] = at_start(world, policy.V[0])
            places[EVALUATIONS] += 1
        if stop(learner, world, counts, own, k):
            places[STOPPED] = k
            return k
        sums[REGRET] += world.best - sums[VALUE]
        z, increment = stream(key, k, 0)
        s = pick(0, S, world.rho_chance, world.rho_alias, word(z, increment, 0))
        for h in range(H):
            a = choose(learner, policy, h, s, word(z, increment, 1 + 4 * h))
            row = h * world.stride + s * A + a
            slot = successor(world, row, word(z, increment, 2 + 4 * h))
            r = world.R[row]
            if world.noisy:
                r = 1.0 if word(z, increment, 3 + 4 * h) < r else 0.0
            t = np.int64(world.indices[slot])
            count(counts, row, slot, r)
            sums[COLLECTED] += r
            observe(learner, world, counts, own, policy, k, h, s, a, r, t)
            s = t
        places[STATE] = s
        mark = places[MARK]
        if mark < book.marks.size and book.marks[mark] == k + 1:
            out = book.curve[mark]
            out[0], out[1], out[2], out[3] = k + 1, sums[REGRET], sums[VALUE], sums[COLLECTED]
            report(learner, world, counts, own, policy, out[4:])
            places[MARK] += 1
    return last
