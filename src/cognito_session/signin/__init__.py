"""Where sessions begin and end: managed login, password and challenge flows, sign-out. Each ends in the same session."""
