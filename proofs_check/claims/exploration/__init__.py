"""Claims of the papers on exploration."""
