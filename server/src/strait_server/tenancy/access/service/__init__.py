"""What can be asked about keys and those who hold them."""
