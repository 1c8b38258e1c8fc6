"""Figures of the papers: `compute()` makes a table, `draw(table, style)` draws it; `python -m figures` makes both.

A figure is a module ``figures/<room>/<key>_<name>.py``, found by its file. It has

- a docstring that begins ``<key>: <what it shows>``;
- ``compute(**size) -> Table``, or a tuple of tables: all numbers. It may take ``keep`` (a folder in which pieces are kept),
  ``tell`` (a function that takes lines of progress) and ``store`` (the folder of the results of claims): it is given them;
- ``QUICK: dict``, the arguments of the quick size; the defaults are the paper's, unless ``PAPER: dict`` has others;
- ``draw(table, style) -> Figure``: draws what ``compute`` returned, with the `Style` that it is given, and makes no numbers;
- ``caption(table) -> str``: sentences with formulas of TeX in ``$...$``: norm, temperature, seeds, what a band is.

And it may have

- ``TITLE: str``, where the docstring's first line is not it;
- ``SECONDS: dict``, rough seconds of the sizes ``"quick"`` and ``"paper"`` on one processor, said before there is anything better;
- ``TABLES: tuple[str, ...]``, names of the tables of a tuple, for their files;
- ``CLAIMS: tuple[str, ...]``, the claims that it shows: their pages in the report have it, and ``tightness all`` leaves them out.

A module without ``draw`` is a table only.
"""
