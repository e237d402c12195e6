"""In front of us: what a request looks like where it arrives, and how the answer must look there."""
