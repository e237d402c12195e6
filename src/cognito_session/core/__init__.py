"""The part that thinks: no I/O, no clock, no randomness, no AWS, no framework.

Reading order; each file imports only files above it:
errors, hidden, policy, credential, cookie, keys, token, record, outcome, change, steps, ports, presented, flow.
"""
