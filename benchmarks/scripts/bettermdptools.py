"""With bettermdptools: its vectorised value iteration, to changes of 1e-9."""

import sys

import gymnasium
import numpy as np
from bettermdptools.algorithms.planner import Planner

from benchmarks.scripts import ENVIRONMENTS, GAMMA

name, options = ENVIRONMENTS[sys.argv[1]]
table = gymnasium.make(name, **options).get_wrapper_attr("P")
V, _, _ = Planner(table).value_iteration_vectorized(gamma=GAMMA, n_iters=5_000, theta=1e-9, dtype=np.float64)
np.save(sys.argv[2], V)
