"""Inference: predictions of arrays, frames and files by a finished run."""
