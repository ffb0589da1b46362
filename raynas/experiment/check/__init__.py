"""Check an experiment before it runs: the costs, the failures, and the expected time."""
