"""The same server and the same batch on more than one machine: Ray, which is an extra and imported by nobody else."""
