"""Gap studies, replay of recorded tokens, and what memory is worth.

In reading order:

- `study_file`: a study in a TOML file, or in the words of a command line.
- `study`: instances, methods and seeds; its cells, which of them have to run, and running them.
- `folder`: whose a folder is, and which limits it has seen.
- `cell`: one instance solved by one method with one seed.
- `executors`: where cells run: processes of this machine, or a Dask cluster.
- `worker`: a process of its own for cells, so that limits hold.
- `results`: a finished cell on disk.
- `rows`: results.csv, each cell's result beside its reference.
- `details`: what the page shows beyond the rows, within limits.
- `replay`: every token of a recorded trace under a placement, or with caches that react; apart from
  all others, as is `describe`: what a recorded trace is like.
- `whatif`: what more memory on a server is worth, or its loss: `memory_changes`, the best saving
  after each between what is certain, `brackets`, and `bracket_solves`, which narrow it.
"""
