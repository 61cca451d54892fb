"""The vision-language model being taught: family adapters, taps, geometry head, joint loss."""
