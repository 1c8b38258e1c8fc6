# mypy: allow-untyped-defs
"""Rounds of the entropy games over the layers of a finite horizon, laid end to end.

States are numbered through all layers, step by step, and so are pairs; `first[i] : first[i+1]` are the pairs of state `i`,
`indptr, indices, data` the transitions of a pair, to states of the next layer. `symbol` says for each pair which symbol its
visits count for, `group[k]` is the step of a symbol (0 where steps are pooled), `sizes` how many symbols a step has.
"""

from math import exp, log

from tabular._jit import kernel


@kernel
def hard_response(first, indptr, indices, data, reward, V, pi):
    """The best policy (the first of equals) and its values, for rewards of pairs."""
    for i in range(first.size - 2, -1, -1):
        best = first[i]
        top = 0.0
        for k in range(first[i], first[i + 1]):
            q = reward[k]
            for j in range(indptr[k], indptr[k + 1]):
                q += data[j] * V[indices[j]]
            pi[k] = 0.0
            if k == first[i] or q > top:
                top = q
                best = k
        V[i] = top
        pi[best] = 1.0


@kernel
def soft_response(first, indptr, indices, data, reward, eta, log_pi, V, pi):
    """The policy that maximises reward less `KL(. | old) / eta` a step, and its values; `log_pi` is the old policy's, then its own.

    With `log_pi` zero and `eta` one it maximises reward plus entropy.
    """
    for i in range(first.size - 2, -1, -1):
        top = 0.0
        for k in range(first[i], first[i + 1]):
            q = reward[k]
            for j in range(indptr[k], indptr[k + 1]):
                q += data[j] * V[indices[j]]
            log_pi[k] += eta * q
            if k == first[i] or log_pi[k] > top:
                top = log_pi[k]
        total = 0.0
        for k in range(first[i], first[i + 1]):
            total += exp(log_pi[k] - top)
        total = log(total) + top
        V[i] = total / eta
        for k in range(first[i], first[i + 1]):
            log_pi[k] -= total
            pi[k] = exp(log_pi[k])


@kernel
def flow(first, indptr, indices, data, start, pi, mu, d):
    """Probabilities of states and pairs."""
    mu[:] = 0.0
    mu[: start.size] = start
    for i in range(first.size - 1):
        for k in range(first[i], first[i + 1]):
            d[k] = mu[i] * pi[k]
            for j in range(indptr[k], indptr[k + 1]):
                mu[indices[j]] += d[k] * data[j]


@kernel
def rounds(
    first, indptr, indices, data, start, symbol, group, sizes, weight, soft, prior, before, count,
    visits, counts, reward, log_pi, mu, V, pi, d, best, V_best, uppers,
):  # fmt: skip
    """Rounds `before ... before + count - 1`; returns the least value of a best response so far, whose values are in `V_best`.

    `visits` sums occupancies of pairs, `counts` those of symbols, each times `weight`; `soft`: responses are soft, and counts
    those of states.
    """
    for t in range(before, before + count):
        for k in range(reward.size):
            g = group[symbol[k]]
            reward[k] = log((t + prior * sizes[g]) / (counts[symbol[k]] + prior))
        if soft:
            log_pi[:] = 0.0
            soft_response(first, indptr, indices, data, reward, 1.0, log_pi, V, pi)
        else:
            hard_response(first, indptr, indices, data, reward, V, pi)
        value = 0.0
        for i in range(start.size):
            value += start[i] * V[i]
        uppers[t] = value
        if value < best:
            best = value
            V_best[:] = V
        flow(first, indptr, indices, data, start, pi, mu, d)
        for k in range(d.size):
            visits[k] += d[k]
            counts[symbol[k]] += weight * d[k]
    return best


@kernel
def ascent(first, indptr, indices, data, start, symbol, steps, eta, count, pooled, reward, log_pi, mu, V, pi, d):
    """Steps of mirror ascent on the entropy of pooled occupancies, from `log_pi`; `pooled`, `reward` are those of the last `pi`."""
    for _ in range(count):
        pi_flow(first, indptr, indices, data, start, symbol, steps, pooled, reward, log_pi, mu, pi, d)
        soft_response(first, indptr, indices, data, reward, eta, log_pi, V, pi)
    pi_flow(first, indptr, indices, data, start, symbol, steps, pooled, reward, log_pi, mu, pi, d)


@kernel
def pi_flow(first, indptr, indices, data, start, symbol, steps, pooled, reward, log_pi, mu, pi, d):
    """Occupancies of `exp(log_pi)`, their pooled ones and the logarithms of the inverses of these (zero at zero)."""
    for k in range(d.size):
        pi[k] = exp(log_pi[k])
    flow(first, indptr, indices, data, start, pi, mu, d)
    pooled[:] = 0.0
    for k in range(d.size):
        pooled[symbol[k]] += d[k] / steps
    for k in range(d.size):
        p = pooled[symbol[k]]
        reward[k] = -log(p) if p > 0.0 else 0.0
