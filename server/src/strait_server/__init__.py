"""Strait: background jobs, workflows and AI-agent runs on one PostgreSQL."""
