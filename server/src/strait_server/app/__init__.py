"""The top: processes, and the tables that describe the whole system."""
