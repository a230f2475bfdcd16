"""A bundle: a trained network, everything needed to run it, and a model card.

    bundle/  model.safetensors                      bundle.json   card.md     saved by training
    bundle/  model.onnx, or model.xml + model.bin   bundle.json   card.md     saved by an export
    bundle/  model.onnx   model.safetensors         bundle.json   card.md     … with --trainable

In the last form `model.onnx` reads its large tensors from `model.safetensors`, the weights that
training starts from, so that each is stored once.

`bundle.json` names the architecture and its arguments (resolved only in our registry), the
preprocessing, classes, threshold, metrics with the hash of their data, versions, the SHA-256 of its
files and its own, which are checked at every load. Loading a bundle executes no code from it.

`info` is the content of that file, `fingerprints` says which tiles a model has seen, `card` writes
the card, `places` finds a model, `weights_file` reads and writes weights, `bundle` loads and saves,
`bundled` describes the models that come with diapir.
"""

from diapir.bundle.bundle import (
    OWN_HASH,
    Bundle,
    annotate,
    load,
    read_info,
    save,
    save_export,
)
from diapir.bundle.bundled import BundledModel, bundled_models
from diapir.bundle.fingerprints import Fingerprints, TunedOn
from diapir.bundle.info import (
    FIRST_ZERO,
    VERTICAL_SCALE,
    BundleInfo,
    Export,
    Form,
    Parity,
    SurveySettings,
    Tta,
    Weights,
    all_tuned,
)
from diapir.bundle.places import BUNDLED, CARD, INFO, SECTIONS, SHIPPED, find
from diapir.bundle.weights_file import WEIGHTS, write_weights

__all__ = [
    "BUNDLED",
    "CARD",
    "FIRST_ZERO",
    "INFO",
    "OWN_HASH",
    "SECTIONS",
    "SHIPPED",
    "VERTICAL_SCALE",
    "WEIGHTS",
    "Bundle",
    "BundleInfo",
    "BundledModel",
    "Export",
    "Fingerprints",
    "Form",
    "Parity",
    "SurveySettings",
    "Tta",
    "TunedOn",
    "Weights",
    "all_tuned",
    "annotate",
    "bundled_models",
    "find",
    "load",
    "read_info",
    "save",
    "save_export",
    "write_weights",
]
