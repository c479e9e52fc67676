"""Embeddings of numbers, categories and n-grams."""
