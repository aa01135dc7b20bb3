"""The ground: PostgreSQL and HTTP, and not one word about jobs."""
