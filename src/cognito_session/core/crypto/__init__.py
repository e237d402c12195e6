"""What a text proves: access tokens and ID tokens, sealed values, the keys of both, and the proof of a device's password.

Reading order; each file imports only `core/` and files above it:
encoding, srp, key_set, access_token, weak_key, credential, keyring, id_token, aead.
"""
