r"""RF-Express and RF-UCRL: Ménard et al. 2021 and Kaufmann et al. 2021, exploration before the reward is known. By subject:

what the bounds on errors need of the data (C1 and its companions), what small errors do to plans (C2, C5), and runs (C1r).
"""

from __future__ import annotations

from proofs_check import Mutant
from proofs_check.claims.exploration import rf_express_algorithm, rf_express_errors, rf_express_plans

PARTS = (rf_express_errors, rf_express_plans, rf_express_algorithm)

ERRORS, PLANS = "proofs_check.claims.exploration.rf_express_errors", "proofs_check.claims.exploration.rf_express_plans"
MUTANTS = (
    Mutant("bounds without what comes after", ERRORS, "width", "factor * ops.expect(m.P, w)", "0 * ops.expect(m.P, w)"),
    Mutant("the least bound of the actions", ERRORS, "width", "ops.max(found)", "ops.min(found)"),
    Mutant("distances doubled", ERRORS, "worst_error", "total / 2", "total"),
    Mutant("the worst plan", PLANS, "planned", "values[-1]", "values[0]"),
)
