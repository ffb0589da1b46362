"""Write a network as Python source: plain PyTorch that people read and edit.

Each class of the network becomes a class of the file, and each layer the line that makes it, such
as ``nn.Conv2d(3, 16, 3, padding=1)``. Layers that differ only in numbers share a class, which
takes these numbers. A ``forward`` is the author's own text if that needs nothing but the layer's
parts and plain values. If not, it is traced, which leaves what this one architecture computes.
"""
