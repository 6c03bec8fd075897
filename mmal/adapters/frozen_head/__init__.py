"""A last layer that is refitted to convergence on features of a frozen model."""
