"""What can be asked of runs."""
