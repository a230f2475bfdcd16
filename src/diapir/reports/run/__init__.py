"""The report of a run: its page, figures, tile gallery, findings and wording."""
