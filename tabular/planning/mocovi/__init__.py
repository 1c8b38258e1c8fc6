"""Maximum-entropy model correction (MoCoVI, MoCoDyna) and what it is compared with. Source: mocovi."""

from __future__ import annotations

from tabular.planning.mocovi.exact import corrected_model, mocovi, model_based, os_vi, vi
from tabular.planning.mocovi.sampled import dyna, mocodyna, os_dyna, q_learning, td
from tabular.planning.mocovi.table import Row, table

__all__ = [
    "Row",
    "corrected_model",
    "dyna",
    "mocodyna",
    "mocovi",
    "model_based",
    "os_dyna",
    "os_vi",
    "q_learning",
    "table",
    "td",
    "vi",
]
