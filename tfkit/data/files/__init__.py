"""Table files: CSV, JSON lines, Parquet, encodings, compression."""
