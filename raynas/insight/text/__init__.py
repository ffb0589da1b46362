"""Views of a run as text: on a terminal with colours, elsewhere plain."""
