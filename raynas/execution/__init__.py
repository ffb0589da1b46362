"""Running trials: on Ray, or on a table under a virtual clock. Both are led by the conductor."""
