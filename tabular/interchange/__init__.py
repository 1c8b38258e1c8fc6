"""Models from and to other formats; each is a module of its own, imported when used."""
