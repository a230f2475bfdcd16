"""The report of a comparison: its page, figures, tile gallery, wording and leaderboard."""
