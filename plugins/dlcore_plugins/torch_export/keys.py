"""What the exporter and the backend must call alike."""

METADATA = "dlcore.json"
"""The extra file that holds the description of the network."""

OUTPUTS = "outputs"
"""The extra file that holds the names of the outputs, one a line."""
