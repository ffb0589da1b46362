"""An experiment: described, run, resumed, and its result."""
