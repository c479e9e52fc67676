"""Texts: loading, schema, preprocessing, dataset, reading."""
