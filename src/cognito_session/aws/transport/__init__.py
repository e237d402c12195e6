"""How a call reaches AWS: one interface, libcurl and botocore behind it, and where their credentials come from."""
