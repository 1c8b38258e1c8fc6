"""Experiments: records of what is run, the runner with its store, and measurements of speed."""
