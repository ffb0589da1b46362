"""The report of a run: one HTML file that needs no network, made from the run's journal only."""
