"""Tables, figures and pages; they draw what exists and run nothing.

In reading order:

- `report`: all of a study, from the results.csv in its folder.
- `results_table`: that file with its types.
- `table`: the gap table; `comparison`: paired differences between methods; `text_table`: both for a
  terminal, in LaTeX and in Markdown; `study_table`: both by one name.
- `figure`: every cell's ratio, method by method.
- `sweep_figure`: latency and ratio over one field of the scenario.
- `profile_figure`: performance profiles; `study_figure`: these three by one name.
- `placement_figure`: a placement as a map, `map_figure` with `label_places`, and server by server,
  `grid_figure`.
- `changes_table`, `changes_figure`: what changes of the servers' memory are worth.
- `progress_figure`: one run's best placement and bound over time.
- `trace_page`: what a recorded trace is like, in one HTML file.
- `page`: a study's tables, figures and what `page_data` lets explore, in one HTML file; its parts
  are in ``assets``, the libraries that draw in a browser in ``vendor``.
- `notebook`: what notebooks show of instances, placements and solutions.
- `drawing`: what the figures share.
"""
