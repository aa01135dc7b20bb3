"""Where to look in the queue, and how much to take."""
