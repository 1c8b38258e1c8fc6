"""Figures of the exploration room."""
