"""Catalog of the recipes and components, read from their source."""
