"""Datasets: rows by index, and batched prediction over them."""
