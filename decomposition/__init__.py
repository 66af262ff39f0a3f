"""The certified method: layers tied together by prices of the servers' capacities."""
