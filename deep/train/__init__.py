"""The trainer, its replay and checkpoints, and the bridge to the tabular solvers."""
