"""raynas: neural architecture search on Ray."""
