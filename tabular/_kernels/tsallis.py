# mypy: allow-untyped-defs
r"""Functions of one row of action values: conjugates and maximisers of Tsallis entropy and divergence, index q != 1.

Notation, formulas and the bracket are those of `tabular.reference.q_calculus`: with weights p (the reference divided by its
sum over the live actions, or ones), z = (q - max)/w and c = index - 1, the root nu of

    N(nu) = sum p t - 1,    t = [1 + c y]_+^(1/c),    y = (z - nu)/index

gives the conjugate max + w (nu + c sum p t y + N). The search ends where |N| <= TOLERANCE (n + 8) u, or with a bracket of
a few ulp, at its right end, where -1 <= N <= 0; so |N| times the length of the bracket, by which the conjugate may exceed
the maximum, is of the size of rounding. Error bounds: `tabular._rounding`. Powers of the indices 1/2, 3/2, 2 and 3 are
products, quotients and roots. Entropy of index 2 has its root in a few sums (`threshold`).
"""

from math import exp, expm1, inf, isfinite, log, log1p, nan, sqrt

from tabular._jit import kernel
from tabular._kernels.rows import max_row, support

U = 2.0**-53
TOLERANCE = 4.0
MAX_STEPS = 400


@kernel
def exp_parts(y, c):
    """t = [1 + c y]_+^(1/c), t - 1, and 1 + c y where it is positive, else 0 (with t = inf where c < 0)."""
    b = 1.0 + c * y
    if not b > 0.0:
        return (0.0, -1.0, 0.0) if c > 0.0 else (inf, inf, 0.0)
    if b == inf or (c == -0.5 and b > 1e150):  # t^index is below 1e-20; of such y even products overflow
        return 0.0, -1.0, b
    if c == 1.0:
        return b, y, b
    if c == 0.5:
        return b * b, 0.5 * y * (b + 1.0), b
    if c == 2.0:
        root = sqrt(b)
        return root, 2.0 * y / (root + 1.0), b
    if c == -0.5:
        t = 1.0 / (b * b)
        return t, 0.5 * y * (b + 1.0) * t, b
    ell = log1p(c * y) / c
    if -0.69 < ell < 0.69:
        less = expm1(ell)
        return 1.0 + less, less, b
    t = exp(ell)
    return t, t - 1.0, b


@kernel
def log_power(x, c):
    """(x^c - 1)/c for x > 0, c != 0."""
    return expm1(c * log(x)) / c


@kernel
def sums(q, mask, ref, share, m, w, index, nu, lack):
    """N, its slope times -index, and sum p t y; p is `share` times the reference, or one where `share` is 0.

    N is the sum of p (t - 1) with a reference, and of t less `lack` without.
    """
    c = index - 1.0
    N, slope, weighted = 0.0, 0.0, 0.0
    for a in range(q.size):
        if mask[a] and (share == 0.0 or ref[a] > 0.0):
            p = 1.0 if share == 0.0 else ref[a] * share
            y = ((q[a] - m) / w - nu) / index
            t, less, b = exp_parts(y, c)
            N += t if share == 0.0 else p * less
            if b > 0.0 and t > 0.0:
                slope += p * t / b
                weighted += p * t * y
    return N - lack, slope, weighted


@kernel
def dual_point(q, mask, ref, share, m, w, index):
    """nu, N there, sum p t y there, and the bracket."""
    c = index - 1.0
    top, least, mean, n = 0.0, 0.0, 0.0, 0
    for a in range(q.size):
        if mask[a] and (share == 0.0 or ref[a] > 0.0):
            p = 1.0 if share == 0.0 else ref[a] * share
            z = (q[a] - m) / w
            n += 1
            mean += p * z
            if z == 0.0:
                top += p
            least = min(least, z)
    mass = float(n) if share == 0.0 else 1.0
    lack = 1.0 if share == 0.0 else 0.0
    floor = -index * log_power(1.0 / mass, c) if mass > 1.0 else 0.0
    low = -index * log_power(1.0 / top, c) if top != 1.0 else 0.0
    if c < 1.0:  # t is convex in z: Jensen
        least = mean / mass
    low = max(low, least + floor)
    narrow = 8.0 * U * (abs(low) + abs(floor)) + 1e-300
    low, high = low - 2.0 * narrow, floor + 2.0 * narrow
    nu, last, N, weighted = low, inf, 0.0, 0.0
    for _ in range(MAX_STEPS):
        N, slope, weighted = sums(q, mask, ref, share, m, w, index, nu, lack)
        if N >= 0.0:
            low = nu
        if N <= 0.0:
            high = nu
        if not abs(N) > TOLERANCE * (n + 8) * U or (high - low <= narrow and N <= 0.0):
            break
        good = abs(N) <= 0.5 * last
        new = high
        if high - low > narrow:
            ell = log1p(N)
            new = nu + index * exp((1.0 - c) * ell) * (expm1(c * ell) / c) / slope
            good = good and low < new < high
            if not good:
                new = low + 0.5 * (high - low)
        last = abs(N) if good else inf
        nu = new
    return nu, N, weighted, low, high


@kernel(inline=True)
def is_projection(w, index, entropy):
    return entropy and index == 2.0 and 1e-290 < w < 1e290


@kernel(inline=True)
def threshold(q, mask, m, w):
    """Of q/(2w)'s projection onto the simplex, which is the maximiser of entropy at index 2: (m + what is returned)/(2w) is what
    entries above it lose. And how many there are.

    Newton's method from the left for N, which is piecewise linear: exact once the same entries stay (Michelot 1986).
    """
    cut, last = -2.0 * w, -1
    for _ in range(q.size + 2):
        total, n = 0.0, 0
        for a in range(q.size):
            d = q[a] - m if mask[a] else -inf
            if d > cut:
                total += d
                n += 1
        if n == last:
            break
        cut, last = (total - 2.0 * w) / n, n
    return cut, last


@kernel(inline=True)
def share_of(mass, uniform):
    return 0.0 if uniform else 1.0 / mass


@kernel(inline=True)
def conjugate(q, mask, w, index, ref, entropy):
    """The maximum of <pi, q> - w D(pi, ref), `ref` divided by its sum over available actions; or of <pi, q> + w S(pi)."""
    if entropy:
        m, mass = max_row(q, mask)[0], 1.0
    else:
        m, mass = support(q, mask, ref)
    if w == 0.0 or not isfinite(m):
        return m
    if is_projection(w, index, entropy):
        cut, n = threshold(q, mask, m, w)
        if n == 1:
            return m
        half, cut, squares = 0.5 / w, cut / (2.0 * w), 0.0
        for a in range(q.size):
            if mask[a]:
                x = max((q[a] - m) * half - cut, 0.0)
                squares += x * x
        return m + w * (1.0 + 2.0 * cut + squares)
    nu, N, weighted, _, _ = dual_point(q, mask, ref, share_of(mass, entropy), m, w, index)
    return m + w * (nu + (index - 1.0) * weighted + N)


@kernel(inline=True)
def maximise(q, mask, w, index, ref, entropy, pi):
    """The maximiser that belongs to it.

    Where the bracket is narrow and N far from zero, a probability is about to change: then the policies at its ends are
    mixed, at a loss of at most twice the bracket.
    """
    if entropy:
        m, mass = max_row(q, mask)[0], 1.0
    else:
        m, mass = support(q, mask, ref)
    share, c = share_of(mass, entropy), index - 1.0
    total = 0.0
    if not isfinite(m):
        for a in range(q.size):
            pi[a] = nan if mask[a] else 0.0
        return
    if w == 0.0:
        for a in range(q.size):  # the first one
            pi[a] = 1.0 if total == 0.0 and mask[a] and (share == 0.0 or ref[a] > 0.0) and q[a] == m else 0.0
            total += pi[a]
        return
    if is_projection(w, index, entropy):
        half, cut = 0.5 / w, threshold(q, mask, m, w)[0] / (2.0 * w)
        for a in range(q.size):
            pi[a] = max((q[a] - m) * half - cut, 0.0) if mask[a] else 0.0
            total += pi[a]
        for a in range(q.size):
            pi[a] /= total
        return
    nu, N, _, low, high = dual_point(q, mask, ref, share, m, w, index)
    mixed = abs(N) > 1e-11
    below, steep, above = 0.0, 0.0, 0.0
    for a in range(q.size):
        pi[a] = 0.0
        if mask[a] and (share == 0.0 or ref[a] > 0.0):
            p = 1.0 if share == 0.0 else ref[a] * share
            z = (q[a] - m) / w
            pi[a] = p * exp_parts((z - (high if mixed else nu)) / index, c)[0]
            if mixed:
                t = exp_parts((z - low) / index, c)[0]
                below += pi[a]
                steep += p if t == inf else 0.0
                above += 0.0 if t == inf else p * t
    if mixed:
        more = above - below
        for a in range(q.size):
            if mask[a] and (share == 0.0 or ref[a] > 0.0):
                p = 1.0 if share == 0.0 else ref[a] * share
                t = exp_parts(((q[a] - m) / w - low) / index, c)[0]
                if steep > 0.0:
                    pi[a] += (1.0 - below) * p / steep if t == inf else 0.0
                elif more > 0.0:
                    pi[a] += (1.0 - below) / more * (p * t - pi[a])
    for a in range(q.size):
        total += pi[a]
    for a in range(q.size):
        pi[a] /= total


@kernel(inline=True)
def policy(q, mask, w, index, ref, entropy, pi, log_pi):
    """The same and its logarithm."""
    maximise(q, mask, w, index, ref, entropy, pi)
    for a in range(q.size):
        log_pi[a] = log(pi[a]) if pi[a] != 0.0 else -inf
