"""Preprocessing layers for tables, series and texts."""
