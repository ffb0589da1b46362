"""Spaces to search: modules with ``SPACE`` and ``build(architecture, input_shape, classes)``.

A module may also offer ``draw(architecture)``, its own few lines of text. Importing one must not
load torch.
"""
