"""The layers of the packages, from low to high."""

LAYERS = [
    ["foundation"],
    ["machine"],
    ["profiles"],
    ["client", "server"],
    ["build", "models"],
    ["lifecycle"],
    ["checks", "management"],
    ["dashboard"],
    ["cli"],
]
"""A package imports only lower rows: neither its neighbours in a row nor anything above."""
