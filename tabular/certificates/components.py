"""Strong components of a graph in the order in which a triangular solve needs them."""

from __future__ import annotations

from collections.abc import Sequence


def strong_components(after: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strong components of the graph with successors ``after[v]``, each after all components it leads to
    (Tarjan 1972).

    O(nodes + edges), without recursion.
    """
    n = len(after)
    if n > 1 and 4 * sum(map(len, after)) >= n * n and _is_one(after):
        return [list(range(n))]
    number, low, on_stack = [-1] * n, [0] * n, [False] * n
    stack: list[int] = []
    out: list[list[int]] = []
    count = 0
    for root in range(n):
        if number[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            v, i = work.pop()
            if i == 0:
                number[v] = low[v] = count
                count += 1
                stack.append(v)
                on_stack[v] = True
            for k in range(i, len(after[v])):
                t = after[v][k]
                if number[t] < 0:
                    work += [(v, k + 1), (t, 0)]
                    break
                if on_stack[t]:
                    low[v] = min(low[v], number[t])
            else:
                if low[v] == number[v]:
                    block: list[int] = []
                    while not block or block[-1] != v:
                        block.append(stack.pop())
                        on_stack[block[-1]] = False
                    out.append(sorted(block))
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[v])
    return out


def _is_one(after: Sequence[Sequence[int]]) -> bool:
    """Whether all nodes lead to each other, where a few rounds show it; O(nodes + edges)."""
    seen, todo = {0}, [0]
    while todo and len(seen) < len(after):
        new = set(after[todo.pop()]) - seen
        seen |= new
        todo += new
    if len(seen) < len(after):
        return False
    back, rest = {0}, list(range(1, len(after)))
    for _ in range(4):
        more = [v for v in rest if not back.isdisjoint(after[v])]
        back.update(more)
        rest = [v for v in rest if v not in back]
    return not rest
