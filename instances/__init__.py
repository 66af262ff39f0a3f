"""Where instances come from: a scenario and a seed, recorded data, named sets.

In reading order:

- `scenario`: what a generated instance is made from; `streams`: its random numbers.
- `model_table`, with `models.csv` and ``published.csv``: what the experts of published models cost;
  `model_config`: the same from a model's own configuration.
- `set_law`: which experts come together; `links`: round trips between positions.
- `geography`: where servers and users stand; `places`: how people write them down, in a table
  (`csv_table`) or otherwise; `latencies`: measured ones.
- `generate`: scenario, law, geography and links together make an instance.
- `sites`: recorded positions; `trace`: recorded experts of every token, with `trace_split` for
  training and test, and `trace_requests` for what users ask; `popularity`: recorded counts of each
  expert's use.
- `machine`: GPUs and what stands behind them; `machine_trace`: recorded experts on those.
- `network`: servers, users and models of one file (`network_file`), whose requests are recorded or
  generated (`network_traffic`).
- `gadgets`: instances on which a method is as bad as it can be.
- `recipe`: how an instance is made, small enough to send; `combinations`: recipes from scenarios,
  swept values and seeds.
- `suites`: named sets of recipes; `suite_file`: a set of one's own; `suite_folder`: a set as files.
- `records`, with `records.csv` and `placements/`: the best known solution of each instance.
"""
