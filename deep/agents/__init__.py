"""Agents: the DQN family, actor-critics and learners of visits, as values with pure functions."""
