"""SoftRobust: Zhang, Hu and Li 2024, regularised robust MDPs and risk-sensitive MDPs. By subject:

operators (C2, C6, C7), the equivalence with a robust MDP (C1), policy gradients (C3, C4), risk of the action's draw
(C5), and draws (C8).
"""

from __future__ import annotations

from proofs_check.claims.planning import (
    soft_robust_actions,
    soft_robust_equivalence,
    soft_robust_gradients,
    soft_robust_limits,
    soft_robust_operators,
    soft_robust_sampling,
)

PARTS = (
    soft_robust_equivalence,
    soft_robust_operators,
    soft_robust_limits,
    soft_robust_gradients,
    soft_robust_actions,
    soft_robust_sampling,
)
