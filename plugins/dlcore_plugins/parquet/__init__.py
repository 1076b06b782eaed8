"""Predictions as Parquet tables."""
