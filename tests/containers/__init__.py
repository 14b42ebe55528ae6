"""The shipped containers, run: ``make containers`` builds them, ``make test-containers`` starts
docker-compose.yml with all its profiles, and looks.

Podman is taken where it works, else Docker where its daemon answers. Where no registry can be
reached, images of our own stand in for those of others (``images/``).
"""
