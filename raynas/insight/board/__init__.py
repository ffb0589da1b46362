"""What TensorBoard shows of a run: a run called ``search`` that tells its story, and trials."""
