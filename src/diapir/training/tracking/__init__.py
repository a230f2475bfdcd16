"""Where a run's metrics go: metrics.csv always, TensorBoard and W&B where chosen."""
