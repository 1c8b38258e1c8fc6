"""MDVI: Kozuno et al. 2022, KL-entropy-regularised reinforcement learning with a generative model. By subject:

the recursion and its Munchausen form (C1, C2, C7), what errors do to policies (C3, C6), sampling (C4, C5, C8), and
rates (C4a, C5b, C5c, C6b).
"""

from __future__ import annotations

from proofs_check.claims.planning import mdvi_propagation, mdvi_rates, mdvi_recursion, mdvi_sampling

PARTS = (mdvi_recursion, mdvi_propagation, mdvi_sampling, mdvi_rates)
