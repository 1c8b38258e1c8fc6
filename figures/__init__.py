"""Figures of the papers: `compute()` makes a table, `draw(table)` draws it."""
