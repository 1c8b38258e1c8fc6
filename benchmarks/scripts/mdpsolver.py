"""With mdpsolver: modified policy iteration on lists of successors."""

import sys

import mdpsolver
import numpy as np

from benchmarks.scripts import GAMMA
from benchmarks.scripts.table import arrays, with_end

P, R = with_end(*arrays(sys.argv[1]))
columns = [[np.flatnonzero(row).tolist() for row in rows] for rows in P]
values = [[P[s, a, to].tolist() for a, to in enumerate(row)] for s, row in enumerate(columns)]
model = mdpsolver.model()
model.mdp(discount=GAMMA, rewards=R.tolist(), tranMatProbs=values, tranMatColumns=columns)
model.solve(algorithm="mpi", tolerance=1e-6, makeFinalCheck=False, parallel=False)
np.save(sys.argv[2], np.array(model.getValueVector()[:-1]))
