# mypy: allow-untyped-defs
"""Pieces of optimistic planning."""

from tabular._jit import kernel


@kernel
def greedy(world, counts, Q, h, s, policy):
    """Let the policy take a maximiser of Q[h] in state s: the maximum, and whether the action is another than before.

    Of equal ones the pair visited least, of these the first: where bounds say nothing yet, all actions are tried.
    """
    first = s * world.A
    best, top = 0, Q[h, first]
    for a in range(1, world.A):
        q = Q[h, first + a]
        if q >= top:
            row = h * world.stride + first
            if q > top or counts.visits[row + a] < counts.visits[row + best]:
                best, top = a, q
    changed = policy.act[h, s] != best
    policy.act[h, s] = best
    return top, changed


@kernel
def greedy_stage(visits, Q, A, offset, h, V, act):
    """The same in all states: V[h] and act[h] from Q[h], rows of visits from `offset` on; whether an action changed."""
    changed = False
    for s in range(V.shape[1]):
        first = s * A
        best, top = 0, Q[h, first]
        for a in range(1, A):
            q = Q[h, first + a]
            if q > top or (q == top and visits[offset + first + a] < visits[offset + first + best]):
                best, top = a, q
        V[h, s] = top
        changed |= act[h, s] != best
        act[h, s] = best
    return changed
