"""The golden scenes of the package under the names that tests use."""

from pseudogd.vqa.selftest.golden import CARDS, EYE, SURE, TEACHER, Block, cast, golden, middle, rows_of

ROOM = list(CARDS)

__all__ = ["EYE", "ROOM", "SURE", "TEACHER", "Block", "cast", "golden", "middle", "rows_of"]
