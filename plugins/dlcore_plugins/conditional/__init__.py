"""Conditional top-down models: a rough pose of each animal goes in along with its image."""
