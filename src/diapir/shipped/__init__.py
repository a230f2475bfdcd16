"""Models that come with diapir, a bundle each, by the name they are asked for."""
