"""The bodies and answers of the API beside events and labels (those are in `apps.inference.shapes`)."""
