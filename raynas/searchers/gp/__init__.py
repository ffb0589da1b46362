"""A Gaussian process over the decisions of any space: the model of the searcher ``auto``.

The modules, in the order in which to read them: ``layout`` and ``rows`` turn an architecture into
a row of numbers; ``observations`` turns a history into observations; ``kernel`` compares rows;
``model`` fits the Gaussian process; ``candidates`` generates the architectures for which the model
predicts; ``acquisition`` computes the value of training them; ``search`` proposes one.
"""
