"""Views of a run in a notebook: HTML, data frames, and progress in a cell."""
