"""The Prometheus series of the gateway: their names, labels and buckets, and how they are counted.

Metrics only; no decisions. No label value comes from a client's text.
"""
