"""The model behind NASBOT.

In the order of reading: a distance between networks (``otmann``), kept for many of them
(``distance_table``), and a Gaussian process whose kernel is made of it (``process``).
"""
