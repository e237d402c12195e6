"""What tests of an application use: clocks, stores and providers that need no AWS.

Import what you need from its own module; this package imports nothing by itself.
"""
