# mypy: allow-untyped-defs
"""One-step updates along samples: Q-learning, and TD where there is one action."""

from math import inf

from tabular._jit import kernel


@kernel
def updates(Q, pair, after, R, gamma, eta):
    """``Q[s, a] += eta (R[s, a] + gamma max Q[t] - Q[s, a])`` in order; unavailable entries of Q are -inf."""
    A = Q.shape[1]
    for n in range(pair.size):
        s, a = pair[n] // A, pair[n] % A
        top = -inf
        for b in range(A):
            top = max(top, Q[after[n], b])
        Q[s, a] += eta[n] * (R[s, a] + gamma * top - Q[s, a])
