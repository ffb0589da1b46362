"""Searches as jobs of a Ray cluster, by Ray's Jobs API; no connection to Ray itself is needed."""
