"""Recorded routing: files of serving engines, or a model that runs, in; a trace or counts out.

In reading order:

- `import_routing`: the whole way, from files to one file.
- `formats`: which formats there are, and which one a file is in.
- `recording`: what every reader hands over, tokens or counts; lines of text in blocks.
- One file a format, or a family of formats: `numpy_file` and `vllm`; `sglang`, responses, with
  `responses` for the JSON around both; `sglang_recorder`, files of torch; `moe_trace` and `imatrix`
  of llama.cpp; `json_lines`; `logical_count`.
- `record`: a model of transformers runs on `prompts`, and `routers` catches its experts.
- `one_model`: which records to take where several models were recorded.
- `rows`: rows (token, layer, experts) in the order of the engine become tokens.
- `cleaning`: what is no routed token is left out and counted.
- `trace_file`: the trace, written without ever holding it whole.
"""
