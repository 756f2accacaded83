"""The same server on more than one machine: its HTTP app as an ingress of Ray Serve, its models as deployments."""
