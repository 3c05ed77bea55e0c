"""Opening media in processes of their own, so that a file that breaks or holds up its decoder breaks nothing else."""
