"""The data stages: photos to geometry, geometry to named objects, both to spatial questions."""
