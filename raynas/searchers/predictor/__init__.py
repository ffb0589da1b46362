"""The predictor behind BANANAS and NPENAS, in the order of reading: encoding, ensemble, surrogate.

In numpy rather than torch: deciding must not load torch, and so small networks train faster here.
"""
