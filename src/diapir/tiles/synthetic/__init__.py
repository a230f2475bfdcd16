"""The synthetic survey: seeded, physically motivated sections with salt whose place is known.

salt      shapes of the salt bodies              survey    sections, tiles, the folder
geology   beds, folds, faults, drag by salt      fields    smooth random fields
imaging   wavelet, migration, noise, grey
"""

from diapir.tiles.synthetic.generate import Section, SyntheticSummary, make_section, synthesise

__all__ = ["Section", "SyntheticSummary", "make_section", "synthesise"]
