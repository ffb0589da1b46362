"""Ways to start an experiment."""
