"""What the service has done, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

_NAME = "diapir"


class Counters:
    """Requests by operation and status, and their seconds."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: Counter[str] = Counter()
        self.started = time.time()

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests[operation, status] += 1
        self._seconds[operation] += seconds  # type: ignore[assignment]

    def text(self, gauges: Mapping[str, float]) -> str:
        """All counters, and some values of now by name."""
        lines = [f"# TYPE {_NAME}_requests_total counter"]
        lines += [
            f'{_NAME}_requests_total{{operation="{operation}",status="{status}"}} {count}'
            for (operation, status), count in sorted(self._requests.items())
        ]
        lines.append(f"# TYPE {_NAME}_request_seconds_total counter")
        lines += [
            f'{_NAME}_request_seconds_total{{operation="{operation}"}} {seconds:.6f}'
            for operation, seconds in sorted(self._seconds.items())
        ]
        for name, value in (dict(gauges) | {"uptime_seconds": time.time() - self.started}).items():
            lines += [f"# TYPE {_NAME}_{name} gauge", f"{_NAME}_{name} {value:g}"]
        return "\n".join(lines) + "\n"
