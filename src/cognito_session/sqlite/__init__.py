"""The parts of SQLiteStore.

file: connections and operations. gate: forks. presence, marker: is it still the file that was created and opened? log: its
length. schema: tables and versions. rows, directory, checksum, row: what is stored, and how damage is found. copy: backups.
"""
