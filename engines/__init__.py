"""Placements for serving engines: a solution in, the file that an engine loads out.

In reading order:

- `export_placement`: the whole way, from a placement to one file.
- `targets`: which engines there are.
- `model_placement`: the placement of one model, and what every writer gets.
- `slots`: who holds what under expert parallelism, and what a placement lacks for that.
- One file an engine: `sglang`; `vllm`; `vllm_ascend`; `ktransformers`; `llama_cpp`; and `rows`, a
  table for anything else.
"""
