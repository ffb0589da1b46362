"""What learns to propose: a sequence model over a space's decisions and its optimizer.

In numpy rather than torch: a step of so small a network takes microseconds, which is less than
torch needs to be called, and deciding must not load torch.
"""
