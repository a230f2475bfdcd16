"""The reports of a survey: its map and its products' page."""
