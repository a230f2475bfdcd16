"""Products of a prediction: horizons, salt bodies, meshes and example sections."""
