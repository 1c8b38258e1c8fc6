"""SAC-v2: the entropy temperature as a dual variable. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check.claims.planning import sac_v2_bandit, sac_v2_entropy, sac_v2_horizon, sac_v2_minimum

PARTS = (sac_v2_bandit, sac_v2_horizon, sac_v2_entropy, sac_v2_minimum)
