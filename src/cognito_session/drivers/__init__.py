"""The part that carries: two small loops that answer a flow's questions through the ports."""
