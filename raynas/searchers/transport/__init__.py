"""The model of NASBOT.

The modules, in the order in which to read them: ``otmann`` computes a distance between networks;
``distance_table`` caches the distances; ``process`` is a Gaussian process whose kernel is a
function of the distance.
"""
