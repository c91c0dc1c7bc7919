"""Where the next service points should stand: arrays in, a plan with its proof out."""
