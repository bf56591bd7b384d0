"""The addresses programs use, below `/api/v1`: everything a page shows, as JSON, described by OpenAPI."""
