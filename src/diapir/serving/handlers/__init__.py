"""What answers the requests of the page and of the API."""
