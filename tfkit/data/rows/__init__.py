"""Rows: splits, duplicates, tables larger than memory."""
