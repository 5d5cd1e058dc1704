"""The Prometheus series of the gateway: their names, labels and buckets, and how they are counted.

Nothing is decided here, and no label comes from a client's text.
"""
