"""Forecasting: loading, schema, preprocessing, dataset, reading."""
