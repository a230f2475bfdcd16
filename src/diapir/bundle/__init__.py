"""A bundle: a trained network, everything needed to run it, and a model card.

    bundle/  model.safetensors                      bundle.json   card.md     saved by training
    bundle/  model.onnx, or model.xml + model.bin   bundle.json   card.md     saved by an export

`bundle.json` names the architecture and its arguments (resolved only in our registry), the
preprocessing, classes, threshold, metrics with the hash of their data, versions, the SHA-256 of its
files and its own, which are checked at every load. Loading a bundle executes no code from it.

`info` is the content of that file, `card` writes the card, `places` finds a model, `bundle` loads
and saves.
"""

from diapir.bundle.bundle import OWN_HASH, WEIGHTS, Bundle, annotate, load, save, save_export
from diapir.bundle.info import BundleInfo, Export, Form, Parity, SurveySettings, Tta
from diapir.bundle.places import BUNDLED, CARD, INFO, SECTIONS, SHIPPED, find

__all__ = [
    "BUNDLED",
    "CARD",
    "INFO",
    "OWN_HASH",
    "SECTIONS",
    "SHIPPED",
    "WEIGHTS",
    "Bundle",
    "BundleInfo",
    "Export",
    "Form",
    "Parity",
    "SurveySettings",
    "Tta",
    "annotate",
    "find",
    "load",
    "save",
    "save_export",
]
