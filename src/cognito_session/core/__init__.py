"""The part that decides: no I/O, no clock, no randomness, no AWS, no framework.

`core/` holds plain values, `core/crypto/` what a text proves, `core/protocol/` what a request decides.

Reading order; each file imports only files above it:
current_request, security_headers, errors, checks, redact, secret, tracebacks, device_label, partition_table, partition,
policy, cookie.
"""
