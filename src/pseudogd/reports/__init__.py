"""From a run folder to one self-contained page and its JSON."""
