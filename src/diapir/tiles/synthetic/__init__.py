"""The synthetic survey: seeded, physically motivated sections with known salt.

salt      shapes of the salt bodies              generate  sections, tiles, the folder
geology   beds, folds, faults, drag by salt      fields    smooth random fields
imaging   wavelet, migration, noise, grey        velocity  sections from velocity models
section_style  what sets the sections of one survey apart from another's
"""

from diapir.tiles.synthetic.generate import (
    SyntheticSection,
    SyntheticSummary,
    make_section,
    synthesise,
)
from diapir.tiles.synthetic.velocity import read_velocity, section_maker

__all__ = [
    "SyntheticSection",
    "SyntheticSummary",
    "make_section",
    "read_velocity",
    "section_maker",
    "synthesise",
]
