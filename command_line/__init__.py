"""The command line.

`parser` has `main` and the list of commands, `options` the options of each, `scenario_options`
those that follow from the declaration of a scenario. The work of the commands stands in
`instances` (`generate`, `import`), `suites`, `solving` (`solve`, `bound`, `evaluate`, `export`,
`methods`) and `studies` (`study`, `replay`, `draw`); `words` reads what options hold, `output`
prints.
"""
