"""From a bundle and images to probabilities."""
