"""The demo: four models, two on real files, fed through the public API and computed by the real pipeline."""
