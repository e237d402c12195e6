"""OPERATES: what the command `cognito-session` does, one noun per file; nothing here runs while an app serves requests."""
