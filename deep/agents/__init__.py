"""Agents: the DQN family, actor-critics and learners of visits, as values with pure functions."""

from deep.agents.registry import AGENTS, make_agent

__all__ = ["AGENTS", "make_agent"]
