"""Expert parallelism: every expert on some rank, and equally many slots on each rank in each layer.

Servers are the ranks. Each layer has slots of its own, so the layers are problems of their own.

In reading order:

- `slots`: how many slots a rank has in each layer.
- `balance`: how evenly the ranks are loaded.
- `eplb`: DeepSeek's load balancer, a baseline that looks at loads only.
- `expert_parallel`: the least latency; `exchanges` tells what every exchange of two experts would
  gain, `layer_program` solves small layers exactly.
"""
