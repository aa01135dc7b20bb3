"""What a worker does: be present, claim, execute, record; and what others do when it dies."""
