"""Figures of the planning room."""
