"""Columns: types, numbers, dates, categories, targets."""
