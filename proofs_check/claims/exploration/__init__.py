"""Claims of the exploration room."""
