"""Nothing is sent and nothing is left in the home folder by the engines' libraries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OPEN = """
import sys, time
import numpy as np
from diapir.inference import EngineOptions, Predictor
pixels = 10**9 if sys.argv[1] == "auto" else None
predictor = Predictor.load("salt", EngineOptions(engine=sys.argv[1], threads=1, pixels=pixels))
noise = np.random.default_rng(0).integers(0, 256, (2, 101, 101), dtype=np.uint8)
predictor.probabilities(list(noise))
time.sleep(1)  # ONNX Runtime writes its files in a thread of its own
"""


def files_after(home: Path, *arguments: str) -> list[Path]:
    """Files in an empty home after a Python process with these arguments."""
    home.mkdir()
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        env=env | {"HOME": str(home), "TMPDIR": str(home.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("engine", ["onnx", "openvino", "openvino-bf16", "auto"])
def test_an_engine_leaves_nothing_in_the_home_folder(tmp_path: Path, engine: str) -> None:
    """Nor does the choice of the fastest, `auto`, which remembers what it measured elsewhere."""
    if engine.startswith("openvino"):
        openvino = pytest.importorskip("openvino")
        has = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if engine.endswith("bf16") and "BF16" not in has:
            pytest.skip("this CPU has no bfloat16")
    assert files_after(tmp_path / "home", "-c", OPEN, engine) == []


def test_the_library_alone_does_leave_files(tmp_path: Path) -> None:
    """The control of the test above: it can fail."""
    alone = "import onnxruntime, time; onnxruntime.InferenceSession; time.sleep(1)"
    left = files_after(tmp_path / "home", "-c", alone)
    if not left:
        pytest.skip("this ONNX Runtime has no telemetry")
    assert any("onnxruntime" in str(path) for path in left)
