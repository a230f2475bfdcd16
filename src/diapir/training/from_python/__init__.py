"""What Python code adds to a training: a network, a loss, callbacks."""
