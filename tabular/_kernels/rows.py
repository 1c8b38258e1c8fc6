# mypy: allow-untyped-defs
r"""Functions of one row of action values: the maximum; conjugates and maximisers of entropic regularisers.

For the penalty `-tau H(p) + lam KL(p || ref)` with w = tau + lam > 0 the conjugate is w log sum ref^(lam/w)
exp(q/w). With m the largest q on the support, t = (q - m)/w <= 0, weights p = ref^(lam/w) and Z = sum p it is
evaluated as

    m + w (log Z + l),    l = log(sum p e^t / Z) = log1p(sum p expm1(t) / Z)    in [-range(q)/w, 0].

No term of the size of w is formed and then cancelled: as w grows with tau = 0 (then Z = 1, the reference
being divided by its sum) the result tends to the mean of q under the reference, and for w -> 0 to the
maximum. The logarithm of the ratio is taken below 1/2, log1p above, and e^t, expm1(t) come from one call
(`exp_pair`). Error bounds: `tabular._rounding`.

w = 0 is the maximum itself; where lam = 0 the reference plays no part. A policy's row is normalised weights,
and its logarithm is formed without them, so that it stays finite where the probability underflows. Rows whose
maximum is not finite have that maximum as conjugate and NaN as policy on available actions.
"""

from math import exp, expm1, inf, isfinite, log, log1p, nan

from tabular._jit import kernel


@kernel(inline=True)
def max_row(q, mask):
    """The largest available entry and its lowest index; (-inf, -1) where there is none above -inf."""
    top, index = -inf, -1
    for a in range(q.size):
        if mask[a]:
            if q[a] > top:
                top, index = q[a], a
            elif q[a] != q[a]:
                return nan, a
    return top, index


@kernel(inline=True)
def max_at(Q, s):
    """As `max_row` for row s of Q (S, A), which is -inf where an action is unavailable."""
    top, index, total = -inf, -1, 0.0
    for a in range(Q.shape[1]):
        total += Q[s, a]  # a NaN anywhere makes it one; a test of every entry costs a quarter of a sparse backup
        if Q[s, a] > top:
            top, index = Q[s, a], a
    if total != total:
        for a in range(Q.shape[1]):
            if Q[s, a] != Q[s, a]:
                return nan, a
    return top, index


@kernel(inline=True)
def change(new, old):
    """Least and largest component of `new - old`; both NaN where one is."""
    low, high = inf, -inf
    for s in range(new.size):
        d = new[s] - old[s]
        if d != d:
            return nan, nan
        low, high = min(low, d), max(high, d)
    return low, high


@kernel(inline=True)
def exp_pair(t):
    """e^t and e^t - 1 for t <= 0, both to a few ulp, from one call."""
    if t > -0.69:  # then |expm1(t)| <= e^t: adding one loses nothing
        m = expm1(t)
        return 1.0 + m, m
    e = exp(t)
    return e, e - 1.0


@kernel(inline=True)
def max_policy(q, mask, pi, log_pi):
    """All mass on the available action of largest q, the lowest index in a tie."""
    top, index = max_row(q, mask)
    known = isfinite(top)
    for a in range(q.size):
        pi[a] = (1.0 if a == index else 0.0) if known or not mask[a] else nan
        log_pi[a] = (0.0 if a == index else -inf) if known or not mask[a] else nan


@kernel(inline=True)
def undefined_policy(mask, pi, log_pi):
    for a in range(mask.size):
        pi[a] = nan if mask[a] else 0.0
        log_pi[a] = nan if mask[a] else -inf


@kernel(inline=True)
def shannon_conjugate(q, mask, tau):
    """tau log sum exp(q/tau) over available actions."""
    m, top = max_row(q, mask)
    if tau == 0.0 or not isfinite(m):
        return m
    rest = 0.0
    for a in range(q.size):
        if mask[a] and a != top:
            rest += exp((q[a] - m) / tau)
    return m + tau * log1p(rest)


@kernel(inline=True)
def shannon_policy(q, mask, tau, pi, log_pi):
    """softmax(q/tau) over available actions, and its logarithm."""
    m, top = max_row(q, mask)
    known = isfinite(m)
    soft = known and tau > 0.0
    rest = 0.0 if known else nan
    for a in range(q.size):  # one loop for every case: with branches that return, references to views are counted
        log_pi[a] = -inf
        if mask[a]:
            log_pi[a] = (q[a] - m) / tau if soft else (0.0 if a == top else -inf)
        pi[a] = exp(log_pi[a])
        if a != top:
            rest += pi[a]
    normalise(1.0 + rest, log1p(rest), mask, pi, log_pi)


@kernel(inline=True)
def normalise(total, log_total, mask, pi, log_pi):
    for a in range(mask.size):
        if mask[a]:
            pi[a] /= total
            log_pi[a] -= log_total


@kernel(inline=True)
def support(q, mask, ref):
    """The largest q on the reference's available support, and the reference's mass there."""
    m, mass = -inf, 0.0
    for a in range(q.size):
        if mask[a] and ref[a] > 0.0:
            mass += ref[a]
            if q[a] > m:
                m = q[a]
            elif q[a] != q[a]:
                return nan, mass
    return m, mass


@kernel(inline=True)
def weight(r, mass, tau, lam):
    """Of a reference probability r/mass: p = (r/mass)^(lam/(tau+lam)), log p, and p - r/mass >= 0."""
    if tau == 0.0:
        return r / mass, log(r / mass), 0.0
    share = min(log(r / mass), 0.0)
    log_p = lam / (tau + lam) * share
    p = exp(log_p)
    return p, log_p, -p * expm1(tau / (tau + lam) * share)


@kernel(inline=True)
def log_ratio(drop, rest):
    """l = log(rest) where rest = 1 + drop and both are known to a few ulp."""
    return log1p(drop) if drop > -0.5 else log(rest)


@kernel(inline=True)
def tilted_conjugate(q, mask, tau, lam, ref):
    """w log sum ref^(lam/w) exp(q/w), w = tau + lam, with `ref` divided by its sum over available actions."""
    if lam == 0.0:
        return shannon_conjugate(q, mask, tau)
    m, mass = support(q, mask, ref)
    if not isfinite(m):
        return m
    w = tau + lam
    z, excess, drop, rest = 0.0, 0.0, 0.0, 0.0
    for a in range(q.size):
        if mask[a] and ref[a] > 0.0:
            if tau == 0.0:
                p = ref[a]
            else:
                p, _, d = weight(ref[a], mass, tau, lam)
                excess += d
            e, below = exp_pair((q[a] - m) / w)
            z += p
            drop += p * below
            rest += p * e
    return m + w * (log1p(excess) + log_ratio(drop / z, rest / z))


@kernel(inline=True)
def tilted_policy(q, mask, tau, lam, ref, pi, log_pi):
    """The maximiser that belongs to it, proportional to ref^(lam/w) exp(q/w), and its logarithm."""
    if lam == 0.0:
        shannon_policy(q, mask, tau, pi, log_pi)
        return
    m, mass = support(q, mask, ref)
    if not isfinite(m):
        undefined_policy(mask, pi, log_pi)
        return
    w = tau + lam
    z, excess, drop, rest = 0.0, 0.0, 0.0, 0.0
    for a in range(q.size):
        pi[a], log_pi[a] = 0.0, -inf
        if mask[a] and ref[a] > 0.0:
            t = (q[a] - m) / w
            p, log_p, d = weight(ref[a], mass, tau, lam)
            e, below = exp_pair(t)
            z += p
            excess += d
            drop += p * below
            rest += p * e
            pi[a], log_pi[a] = p * e, log_p + t
    normalise(rest, log1p(excess) + log_ratio(drop / z, rest / z), mask, pi, log_pi)
