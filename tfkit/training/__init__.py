"""Training: compiled epochs, checkpoints, devices, checks before the first step."""
