"""Cameras, point maps, normals, gravity, boxes and depth metrics: numpy in, numpy out."""
