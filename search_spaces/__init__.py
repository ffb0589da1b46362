"""Search spaces: modules with ``SPACE`` and ``build(architecture, input_shape, classes)``.

A module may also have ``draw(architecture)``, which returns a few lines of text. Importing a
module must not load torch.
"""
