"""The command line: what can be said, and what is then done.

In reading order:

- `parser`: the list of commands, and `main`, which runs one and turns bad input into one line.
- `options`: the options of each command; `scenario_options`: those that a scenario declares.
- `instances`: the commands `generate` and `import`; `suites`: `suite`.
- `routing`: `import routing`, `record` and `describe`.
- `solving`: `solve`, `bound`, `evaluate`, `import solution` and `methods`; `exporting`: `export`.
- `whatif`: what memory is worth.
- `studies`: `study`, `replay` and `draw`; `results`: `table` and `figure`.
- `words`: what the words of an option stand for; `output`: printing.
"""
