"""From the words of an experiment to the objects they mean, checked before anything starts."""
