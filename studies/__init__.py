"""Gap studies: cells, where they run, their results; replay of recorded tokens."""
