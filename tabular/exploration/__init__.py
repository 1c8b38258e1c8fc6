"""Learning from interaction: one loop, many learners, exact evaluation."""

from tabular.exploration.learners import register_learner
from tabular.exploration.play import Play, episodic, interact
from tabular.exploration.ucbvi import UCBVI_BF, UCBVI_CH
from tabular.exploration.uniform import Random

__all__ = ["UCBVI_BF", "UCBVI_CH", "Play", "Random", "episodic", "interact", "register_learner"]
