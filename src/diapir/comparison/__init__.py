"""Models compared on equal terms: recipes that are trained here, or finished runs."""
