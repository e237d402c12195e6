"""What SQLiteStore is made of: the file with its connections, the gate for forks, a row as text."""
