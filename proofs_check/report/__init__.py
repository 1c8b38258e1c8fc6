"""The report: a static site of what a store knows of the registry's claims. It runs nothing; see ``command``."""
