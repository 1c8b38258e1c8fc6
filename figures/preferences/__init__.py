"""Figures of the preferences room."""
