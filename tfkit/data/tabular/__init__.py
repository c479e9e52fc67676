"""Tables: loading, schema, preprocessing, dataset, reading."""
