"""Studies, tables, figures."""
