"""Optimistic Q-learning: Jin et al. 2018. By subject: tables of runs (C4r), sums of learning rates (C1, C5), and runs
(C2, C3, C4).
"""

from __future__ import annotations

from proofs_check.claims.exploration import (
    optimistic_q_algorithm,
    optimistic_q_rates,
    optimistic_q_regret,
    optimistic_q_runs,
)

PARTS = (optimistic_q_algorithm, optimistic_q_rates, optimistic_q_runs, optimistic_q_regret)
