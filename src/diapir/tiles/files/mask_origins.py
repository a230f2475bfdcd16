"""Masks in an alpha channel or a colour on black, pictures that were turned: notes over a set."""

from __future__ import annotations

from diapir.errors import DataError
from diapir.text import listing, plural
from diapir.tiles.files.orientation import TURNED, turned_notes

ALPHA = "alpha"
"""What the mode of a mask ends in whose alpha channel was taken."""
COLOUR = " colour "
"""What stands in the mode of a mask before the colour that was taken for salt."""


class MaskOrigins:
    """Where the masks of a set were found, mask by mask, and what was turned."""

    def __init__(self) -> None:
        self._alpha: list[str] = []
        self._colours: dict[str, list[str]] = {}
        self._turned: tuple[list[str], list[str], list[str]] = [], [], []

    def add(self, name: str, mode: str, image_mode: str | None = None) -> None:
        """Note one mask.

        Args:
            name: of it in messages.
            mode: as `decode_values` gives it; empty for an image without a mask.
            image_mode: of its image, as `decode_image` gives it, where that is read with it.
        """
        turned = (image_mode is not None and TURNED in image_mode), TURNED in mode
        either = image_mode is not None and mode != "" and turned[0] != turned[1]
        for one, names in zip((*turned, either), self._turned, strict=True):
            if one:
                names.append(name)
        if mode.endswith(ALPHA):
            self._alpha.append(name)
        elif COLOUR in mode:
            self._colours.setdefault(mode.rpartition(COLOUR)[2], []).append(name)

    def check(self) -> None:
        """Refuse masks in several colours, which may be several classes.

        Raises:
            DataError: naming the colours and a mask of each.
        """
        if len(self._colours) < 2:
            return
        found = [
            f"{colour} in {plural(len(names), 'mask')} such as {names[0]}"
            for colour, names in self._colours.items()
        ]
        raise DataError(
            f"the masks are in several colours on black: {listing(found, separator='; ')}",
            expected="masks of one colour on black, which is salt",
            fix="save the masks as grey 0 and 255, with the colour that is salt as 255",
        )

    def notes(self) -> list[str]:
        """What was taken for salt, and what was turned."""
        notes = turned_notes(*self._turned)
        if self._alpha:
            notes.append(
                f"the alpha channel of {plural(len(self._alpha), 'mask')} was taken, as all that "
                f"can be seen in these has one colour: {listing(self._alpha)}"
            )
        for colour, names in self._colours.items():
            notes.append(
                f"the colour {colour} on black was taken for salt in {plural(len(names), 'mask')}: "
                f"{listing(names)}; save the masks as grey 0 and 255 if it is not"
            )
        return notes
