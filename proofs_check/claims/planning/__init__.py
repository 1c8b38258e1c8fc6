"""Claims of the planning room."""
