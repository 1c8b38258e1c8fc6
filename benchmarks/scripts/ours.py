"""With the project."""

import sys

import numpy as np

from benchmarks.scripts import ENVIRONMENTS, GAMMA
from tabular import MDP, solve

name, options = ENVIRONMENTS[sys.argv[1]]
mdp = MDP.from_gymnasium(name, gamma=GAMMA, **options)
solution = solve(mdp, tol=1e-7)
np.save(sys.argv[2], solution.V)
