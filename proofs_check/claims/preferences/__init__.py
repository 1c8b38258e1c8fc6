"""Claims of the preferences room."""
