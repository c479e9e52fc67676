"""Time series as rows: loading, schema, preprocessing, dataset, reading."""
