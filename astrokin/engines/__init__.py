"""Engines: map a function over blocks of rows, or fold it, wherever the rows are."""
