"""What-if questions of the console: what is recorded of the last weeks, and the process that replays them.

The replay itself is in `replay`. Not here: routes (`api`) and the page (`pages`).
"""
