"""Plain values that every adapter shares: request, response, the CSRF check, and the answers the library gives itself."""
