"""The project beside its peers, in one run on one machine: `python -m benchmarks`. README.md says what is measured."""
