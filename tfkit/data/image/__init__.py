"""Images: loading, schema, preprocessing, dataset, reading."""
