"""Recipes that ship with the package: one YAML a published result."""
