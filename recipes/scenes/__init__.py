"""Scenes of plain shapes and drawings, still and moving, with exact facts."""
