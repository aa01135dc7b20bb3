"""What a trigger may ask, decided without looking anything up."""
