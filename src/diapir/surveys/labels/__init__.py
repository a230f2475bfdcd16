"""Labels of surveys and pictures, in the formats interpreters have, as masks of sections."""
