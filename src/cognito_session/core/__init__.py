"""The part that thinks: no I/O, no clock, no randomness, no AWS, no framework.

Reading order; each file imports only files above it:
witness, own_headers, errors, given, hidden, secret, frames, device_label, partition_table, partition, base64url, json_text,
srp, policy, cookie, keys, token, weak_key, credential, keyring, id_token, seal, outcome, record, standing, searched, change,
row_code, ports, steps, case, attempts, vault, authenticity, identify, lookup, writes, quiet_writes, tracking, device_cookie,
presenting, unrevoked, ending, devices, data, landing, establish, commit, renewal, flow.
"""
