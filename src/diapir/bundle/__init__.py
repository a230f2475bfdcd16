"""A model that travels: its network, what it needs, and a card. Loading one runs nobody's code.

    bundle/  model.safetensors                      bundle.json   card.md     as a training saves it
    bundle/  model.onnx, or model.xml + model.bin   bundle.json   card.md     as an export saves it

`bundle.json` names the architecture and its arguments (resolved only in our registry), the
preprocessing, classes, threshold, metrics with the hash of their data, versions, the SHA-256 of its
files and its own, which are checked at every load.

`info` is that file's content, `card` writes the card, `places` finds a model, `store` loads and
saves.
"""

from diapir.bundle.bundle import OWN_HASH, WEIGHTS, Bundle, annotate, load, save, save_export
from diapir.bundle.info import BundleInfo, Export, Form, Parity, Tta
from diapir.bundle.places import CARD, INFO, SHIPPED, find

__all__ = [
    "CARD",
    "INFO",
    "OWN_HASH",
    "SHIPPED",
    "WEIGHTS",
    "Bundle",
    "BundleInfo",
    "Export",
    "Form",
    "Parity",
    "Tta",
    "annotate",
    "find",
    "load",
    "save",
    "save_export",
]
