"""The commands of `webhand`, each a thin layer over the services or the REST API."""
