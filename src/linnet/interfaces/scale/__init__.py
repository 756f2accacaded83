"""More than one machine: what of Linnet runs on Ray, which is an extra and imported by nobody else."""
