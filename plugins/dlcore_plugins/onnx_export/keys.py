"""What the exporter and the backend must call alike."""

METADATA = "dlcore"
"""The entry of the file's metadata that holds the description of the network."""
