"""A Gaussian process over the decisions of any space: the model behind ``auto``.

In the order of reading: an architecture becomes a row of numbers (``layout``, and ``proxies`` for
a user's own), a history becomes observations (``observations``), a kernel compares rows
(``kernel``), the model is fitted (``model``) and asked about candidates (``candidates``), the
acquisition weighs them up (``acquisition``), and the searcher proposes (``search``).
"""
