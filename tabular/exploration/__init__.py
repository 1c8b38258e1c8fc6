"""Learning from interaction: one loop, many learners, exact evaluation."""

from tabular.exploration.learners import register_learner
from tabular.exploration.max_ent import max_ent, smoothed_entropy
from tabular.exploration.optimistic import OptimisticPlanning
from tabular.exploration.play import Play, episodic, interact
from tabular.exploration.psrl import PSRL
from tabular.exploration.q_learning import UCB_B, UCB_H
from tabular.exploration.reaching import RF_RL_Explore
from tabular.exploration.reward_free import RF_UCRL, RF_Express
from tabular.exploration.soft import SoftOptimisticPlanning
from tabular.exploration.ucbvi import UCBVI_BF, UCBVI_CH
from tabular.exploration.ucrl2 import ucrl2
from tabular.exploration.uniform import Fixed, Random
from tabular.exploration.widths import Bernstein, Hoeffding, Jaksch, KullbackLeibler, Weissman, register_width

__all__ = [
    "PSRL",
    "RF_UCRL",
    "UCBVI_BF",
    "UCBVI_CH",
    "UCB_B",
    "UCB_H",
    "Bernstein",
    "Fixed",
    "Hoeffding",
    "Jaksch",
    "KullbackLeibler",
    "OptimisticPlanning",
    "Play",
    "RF_Express",
    "RF_RL_Explore",
    "Random",
    "SoftOptimisticPlanning",
    "Weissman",
    "episodic",
    "interact",
    "max_ent",
    "register_learner",
    "register_width",
    "smoothed_entropy",
    "ucrl2",
]
