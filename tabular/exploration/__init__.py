"""Exploration: what a policy visits, how evenly, and how to learn it. A paper's algorithms are in the modules of its key."""
