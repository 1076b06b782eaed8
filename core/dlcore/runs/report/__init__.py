"""One page about a run: `report.html`, read without torch and shown without the network."""
