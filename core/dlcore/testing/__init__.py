"""What plugin authors run in their own tests."""
