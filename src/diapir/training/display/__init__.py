"""What a training shows: plain lines and log.txt, or a live display in a terminal."""
