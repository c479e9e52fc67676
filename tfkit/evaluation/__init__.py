"""Metrics with bootstrap intervals, paired comparison, baselines."""
