"""Kinds of output: what a task predicts and how it is scored."""
