"""A look at an experiment before it is run: what it costs, what fails, how long it takes."""
