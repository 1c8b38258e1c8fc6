"""With QuantEcon.py: policy iteration."""

import sys

import numpy as np
from quantecon.markov import DiscreteDP

from benchmarks.scripts import GAMMA
from benchmarks.scripts.table import arrays, with_end

P, R = with_end(*arrays(sys.argv[1]))
found = DiscreteDP(R, P, GAMMA).solve(method="policy_iteration")
np.save(sys.argv[2], found.v[:-1])
