"""What a problem is: data, evaluator, files, generator, importers, benchmark sets."""
