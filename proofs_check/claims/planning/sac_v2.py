"""SAC-v2: the entropy temperature as a dual variable. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.planning import sac_v2_bandit, sac_v2_entropy, sac_v2_horizon, sac_v2_minimum

PARTS = (sac_v2_bandit, sac_v2_horizon, sac_v2_entropy, sac_v2_minimum)

BANDIT, HORIZON, ENTROPY, MINIMUM = (
    f"proofs_check.claims.planning.sac_v2_{part}" for part in ("bandit", "horizon", "entropy", "minimum")
)
CENTRED = "(r - ops.dot(p, r)) ** 2"
MUTANTS = (
    Mutant("entropy of the wrong sign", BANDIT, "entropy", "-ops.sum(ops.xlogx(p))", "ops.sum(ops.xlogx(p))"),
    Mutant("target without its price", BANDIT, "dual", "tau * target", "target"),
    Mutant("dual by the maximum", BANDIT, "dual", "ops.free_energy(r, tau)", "ops.max(r)"),
    Mutant("dual of a hotter policy", BANDIT, "dual", "ops.free_energy(r, tau)", "ops.free_energy(r, 2 * tau)"),
    Mutant("temperatures in the wrong order", HORIZON, "_plan", "taus[::-1]", "taus"),
    Mutant("policies in the wrong order", HORIZON, "_plan", "found[::-1]", "found"),
    Mutant("entropies at the first visits", HORIZON, "_outcome", "d[h]", "d[0]"),
    Mutant("prices not discounted", HORIZON, "_priced", "m.gamma**h", "1"),
    Mutant("second moment for variance", ENTROPY, "_variance", CENTRED, "r ** 2"),
    Mutant("colder for hotter", ENTROPY, "_hotter", "1 / tau - delta", "1 / tau + delta"),
    Mutant(
        "entropy differentiated without the logarithm",
        ENTROPY,
        "_derivative",
        "ops.log_gibbs(r, tau) + 1",
        "ops.log_gibbs(r, tau) * 0 + 1",
    ),
    Mutant("a loss by the other parameter", ENTROPY, "_gradients", "ops.log(later) - ops.log(tau)", "later - tau"),
    Mutant("maximum for minimum", MINIMUM, "_minima", "ops.minimum(first, second)", "ops.maximum(first, second)"),
    Mutant("the player with more heads", MINIMUM, "_fewer_heads", "min(i, j)", "max(i, j)"),
)
