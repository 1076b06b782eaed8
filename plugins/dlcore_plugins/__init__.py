"""The plugins that come with dlcore, one folder per technique. Each uses only the public API."""
