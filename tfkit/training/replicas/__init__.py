"""Data-parallel training steps over several replicas."""
