"""`make demo`: a sample Lambda handler with this library on the embedded stack, in a browser or as a script.

`app` is the code that a user of the library writes, `deployment` replaces AWS, and `script` checks the whole journey.
"""
