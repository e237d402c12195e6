"""`make demo`: the library in a sample Lambda handler on the embedded stack, in a browser or as a script.

`app` is what a user of the library would write; `world` what AWS would be; `script` the whole journey, checked.
"""
