"""Recipes and components, found and described by reading their source."""
