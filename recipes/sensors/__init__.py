"""The recipe `sensors`: a small model that names, tells, forecasts and writes sensor series."""
