"""Output of a training: plain lines and log.txt, or a live display in a terminal."""
