"""Videos with the predictions drawn in."""
