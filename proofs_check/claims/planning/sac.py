"""SAC: soft policy iteration. The claims are in the parts, by subject."""

from __future__ import annotations

from proofs_check.claims.planning import sac_classes, sac_improvement, sac_rates

PARTS = (sac_improvement, sac_classes, sac_rates)
