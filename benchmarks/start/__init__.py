"""How long people wait for the first page."""
