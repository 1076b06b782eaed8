"""The config file: read, check, override, explain."""
