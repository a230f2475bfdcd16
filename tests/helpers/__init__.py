"""What several parts of the tests make their material with."""
