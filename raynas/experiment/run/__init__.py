"""Running an experiment, and what a run leaves in its folder."""
